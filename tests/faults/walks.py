"""Random steps of a user and of faults, each a rule of a Hypothesis state machine.

Every rule acts on the real API server and on the model. What a rule can draw depends only on the
model, so that the same choices lead to the same walk on every machine.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Concatenate, ParamSpec, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from faults.environment import Environment
from faults.model import (
    EVERYBODY,
    CatalogObject,
    Content,
    Identity,
    Model,
    Policy,
    Selection,
    Server,
)
from faults.proxy import FaultProxy
from faults.specs import selectors, spec_of
from mcp_operator.runtime.client import Client

P = ParamSpec("P")
T = TypeVar("T")

SERVERS = ("red", "blue")
TEAMS = (*SERVERS, "nobody")
SELECTED = (*SERVERS, EVERYBODY)
SERVICES = ("orders", "stock")
CONFIG_MAP = "texts"
ENTRIES = ("find", "show")
OBJECTS = {
    Identity("MCPTool", "a"): "red",
    Identity("MCPTool", "b"): "red",
    Identity("MCPTool", "c"): "blue",
    Identity("MCPPrompt", "a"): "red",
    Identity("MCPPrompt", "b"): "blue",
    Identity("MCPResource", "a"): "red",
    Identity("MCPResource", "b"): "blue",
}
"""All objects of a walk, each with its first team. There are only a few names, so that objects
are recreated under names that existed before."""

SOURCES = {"MCPTool": SERVICES, "MCPPrompt": (None, None), "MCPResource": (CONFIG_MAP, None)}
"""The two references of which an object has one."""


class Run(Protocol):
    """Runs the event loop until a coroutine has finished."""

    def __call__(self, doing: Coroutine[Any, Any, T], /) -> T: ...


@dataclass
class WalkContext:
    """What all walks share.

    Attributes:
        user: The client of the user, which bypasses the proxy.
        proxy: The proxy that the operators use.
        run: Runs a coroutine on the shared event loop.
        logged_errors: The errors that have been logged.
        clean_up: Called after each walk; raises if the walk modified cached objects.
        first_failure: The steps of the first walk that failed, and its error.
    """

    user: Client
    proxy: FaultProxy
    run: Run
    logged_errors: list[str]
    clean_up: Callable[[], None]
    first_failure: str = ""


def recorded(method: Callable[Concatenate[Walk, P], None]) -> Callable[Concatenate[Walk, P], None]:
    """Record a step before it is taken, and check the invariants after it."""

    @functools.wraps(method)
    def done(walk: Walk, /, *args: P.args, **drawn: P.kwargs) -> None:
        words = [*map(repr, args), *(f"{name}={value!r}" for name, value in drawn.items())]
        walk.history.append(f"{method.__name__}({', '.join(words)})")
        method(walk, *args, **drawn)
        walk.check()

    return done


def one_of(choices: Callable[[Walk], Collection[Any]]) -> st.SearchStrategy[Any]:
    """Draw one of the choices that a walk has at that step."""
    return st.runner().flatmap(lambda walk: st.sampled_from(sorted(choices(walk))))


absent = one_of(lambda walk: OBJECTS.keys() - walk.model.objects.keys())
present = one_of(lambda walk: walk.model.objects)
missing_servers = one_of(lambda walk: set(SERVERS) - walk.model.servers.keys())
existing_servers = one_of(lambda walk: walk.model.servers)
teams = st.sampled_from(TEAMS)
entries = st.sampled_from(ENTRIES)
sources = st.integers(0, 1)
selected = st.sampled_from((None, None, *SELECTED))
selections = st.builds(Selection, st.sampled_from(SELECTED), selected, selected)

with_object = precondition(lambda walk: walk.model.objects)
with_server = precondition(lambda walk: walk.model.servers)
while_watching = precondition(lambda walk: walk.environment.is_watching)


class Walk(RuleBasedStateMachine):
    """One walk, in a namespace of its own."""

    context: ClassVar[WalkContext]
    model: Model
    environment: Environment

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.history: list[str] = []
        self.environment = Environment(self.context.user, self.context.proxy)
        self._shop = self.environment.shop
        self._do = self.context.run
        self._texts = 0
        self.steps = 0
        self._do(self.environment.open())
        self._create_objects()

    def _create_objects(self) -> None:
        """Start with two servers that select objects of every kind, and two tools of one name."""
        for name in SERVERS:
            self.create_server(name, Selection(name))
            self.expose_or_hide(name)
        for name in SERVICES:
            self.create_or_delete_service(name)
        self.write_text()
        for identity, team in OBJECTS.items():
            self.create(identity, team, ENTRIES[0], 0)
        self.start()
        self._do(self.environment.operator.idle())
        self.history.clear()

    # What the user does

    @precondition(lambda walk: len(walk.model.objects) < len(OBJECTS))
    @rule(identity=absent, team=teams, entry=entries, source=sources)
    @recorded
    def create(self, identity: Identity, team: str, entry: str, source: int) -> None:
        content = self._content(identity, entry, source)
        made = self._do(
            self._shop.create(*identity, labels={"team": team}, spec=spec_of(identity, content))
        )
        created = made["metadata"]["creationTimestamp"]
        self.model.objects[identity] = CatalogObject(created, team, content)

    @with_object
    @rule(identity=present, entry=entries, source=sources)
    @recorded
    def edit(self, identity: Identity, entry: str, source: int) -> None:
        content = self._content(identity, entry, source)
        self._do(self._shop.patch(*identity, spec=spec_of(identity, content)))
        self.model.objects[identity].content = content

    @with_object
    @rule(identity=present, team=teams, unseen=st.booleans())
    @recorded
    def relabel(self, identity: Identity, team: str, *, unseen: bool) -> None:
        with self._unobserved(unseen=unseen):
            self._do(self._shop.label(*identity, team))
        self.model.objects[identity].team = team

    @with_object
    @rule(identity=present)
    @recorded
    def switch(self, identity: Identity) -> None:
        obj = self.model.objects[identity]
        obj.enabled = not obj.enabled
        self._do(self._shop.patch(*identity, spec={"enabled": obj.enabled}))

    @with_object
    @rule(identity=present, unseen=st.booleans())
    @recorded
    def delete(self, identity: Identity, *, unseen: bool) -> None:
        with self._unobserved(unseen=unseen):
            self._do(self._shop.delete(*identity))
        del self.model.objects[identity]

    @with_object
    @rule(identity=present, team=teams, entry=entries, source=sources, unseen=st.booleans())
    @recorded
    def recreate(
        self, identity: Identity, team: str, entry: str, source: int, *, unseen: bool
    ) -> None:
        with self._unobserved(unseen=unseen):
            self.delete(identity, unseen=False)
            self.create(identity, team, entry, source)

    @precondition(lambda walk: len(walk.model.servers) < len(SERVERS))
    @rule(name=missing_servers, selection=selections)
    @recorded
    def create_server(self, name: str, selection: Selection) -> None:
        self._do(self._shop.create("MCPServer", name, spec=selectors(selection)))
        self.model.servers[name] = Server(selection)

    @with_server
    @rule(name=existing_servers, unseen=st.booleans())
    @recorded
    def delete_server(self, name: str, *, unseen: bool) -> None:
        with self._unobserved(unseen=unseen):
            self._do(self._shop.delete("MCPServer", name))
        del self.model.servers[name]

    @with_server
    @rule(name=existing_servers, selection=selections, unseen=st.booleans())
    @recorded
    def recreate_server(self, name: str, selection: Selection, *, unseen: bool) -> None:
        with self._unobserved(unseen=unseen):
            self.delete_server(name, unseen=False)
            self.create_server(name, selection)

    @with_server
    @rule(name=existing_servers, selection=selections)
    @recorded
    def select(self, name: str, selection: Selection) -> None:
        self._do(self._shop.patch("MCPServer", name, spec=selectors(selection)))
        self.model.servers[name].selection = selection

    @with_server
    @rule(name=existing_servers, policy=st.sampled_from(("RejectAll", "OldestWins")))
    @recorded
    def decide_conflicts(self, name: str, policy: Policy) -> None:
        self._do(self._shop.patch("MCPServer", name, spec={"naming": {"onConflict": policy}}))
        self.model.servers[name].policy = policy

    @with_server
    @rule(name=existing_servers)
    @recorded
    def expose_or_hide(self, name: str) -> None:
        server = self.model.servers[name]
        server.exposed = not server.exposed
        ingress = {"host": "shop.example.com"} if server.exposed else None
        self._do(self._shop.patch("MCPServer", name, spec={"ingress": ingress}))

    @rule(name=st.sampled_from(SERVICES))
    @recorded
    def create_or_delete_service(self, name: str) -> None:
        if name in self.model.services:
            self._do(self._shop.delete("Service", name))
        else:
            self._do(self._shop.service(name))
        self.model.services ^= {name}

    @rule()
    @recorded
    def write_text(self) -> None:
        text = self._text()
        if CONFIG_MAP in self.model.config_maps:
            self._do(self._shop.patch("ConfigMap", CONFIG_MAP, data={"text": text}))
        else:
            self._do(self._shop.create("ConfigMap", CONFIG_MAP, data={"text": text}))
        self.model.config_maps[CONFIG_MAP] = text

    @precondition(lambda walk: walk.model.config_maps)
    @rule()
    @recorded
    def delete_text(self) -> None:
        self._do(self._shop.delete("ConfigMap", CONFIG_MAP))
        del self.model.config_maps[CONFIG_MAP]

    # What happens to the operator

    @precondition(lambda walk: not walk.environment.running)
    @rule()
    @recorded
    def start(self) -> None:
        self._do(self.environment.start())

    @while_watching
    @rule()
    @recorded
    def kill(self) -> None:
        self._do(self.environment.kill())

    @while_watching
    @rule()
    @recorded
    def stop(self) -> None:
        self._do(self.environment.stop())

    @while_watching
    @rule()
    @recorded
    def break_watches(self) -> None:
        self._do(self.environment.break_watches())

    @while_watching
    @rule()
    @recorded
    def cut_watches(self) -> None:
        self._do(self.environment.cut_watches())

    @precondition(lambda walk: walk.environment.watches_cut)
    @rule()
    @recorded
    def restore_watches(self) -> None:
        self._do(self.environment.restore_watches())

    @while_watching
    @rule()
    @recorded
    def resync(self) -> None:
        self._do(self.environment.resync())

    @precondition(lambda walk: walk.model.servers)
    @rule()
    @recorded
    def run_pods(self) -> None:
        self._do(self.environment.run_pods())

    @precondition(lambda walk: walk.steps > 2)
    @rule()
    @recorded
    def settle(self) -> None:
        self._do(self.environment.settle(self.model.expected()))
        self._do(self.environment.rest())
        self.steps = 0

    # Invariants

    def check(self) -> None:
        """Check that no two workers have the same key, and that informers report what they hold."""
        self.steps += 1
        self.environment.check()
        assert not self.context.logged_errors, "\n".join(self.context.logged_errors)

    def teardown(self) -> None:
        """Check that the walk converges, unless it has failed already."""
        error = sys.exc_info()[1]
        try:
            if error is None:
                self.settle()
        except Exception as found:
            error = found
            raise
        finally:
            self._report(error)
            self._do(self.environment.close())
            self.context.clean_up()

    def _report(self, error: BaseException | None) -> None:
        """Keep the first failure, because the same walk might not fail again."""
        is_failure = isinstance(error, Exception) and not isinstance(error, HypothesisException)
        if is_failure and not self.context.first_failure:
            self.context.first_failure = "\n".join([*self.history, repr(error)])

    @contextmanager
    def _unobserved(self, *, unseen: bool) -> Iterator[None]:
        """Cut all watches until the block ends, and let their versions expire."""
        unseen = unseen and self.environment.is_watching
        if unseen:
            self._do(self.environment.cut_watches())
        yield
        if unseen:
            self._do(self.environment.restore_watches())
            self._do(self.environment.catch_up())

    def _content(self, identity: Identity, entry: str, source: int) -> Content:
        return Content(entry, self._text(), SOURCES[identity.kind][source])

    def _text(self) -> str:
        self._texts += 1
        return f"text {self._texts}"
