"""A user and an environment that do what they like, each deed a rule of a Hypothesis state machine.

Every rule acts on the real API server and on the model alike. What a rule may draw depends on the
model alone, so that the same choices make the same walk, however fast the machine is.
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

from faults.model import (
    EVERYBODY,
    Content,
    Identity,
    Member,
    Model,
    Policy,
    Selection,
    Server,
)
from faults.proxy import FaultProxy
from faults.specs import selectors, spec_of
from faults.stage import Stage
from mcp_operator.runtime.client import Client

P = ParamSpec("P")
T = TypeVar("T")

SERVERS = ("red", "blue")
TEAMS = (*SERVERS, "nobody")
SELECTED = (*SERVERS, EVERYBODY)
SERVICES = ("orders", "stock")
CONFIG_MAP = "texts"
ENTRIES = ("find", "show")
MEMBERS = {
    Identity("MCPTool", "a"): "red",
    Identity("MCPTool", "b"): "red",
    Identity("MCPTool", "c"): "blue",
    Identity("MCPPrompt", "a"): "red",
    Identity("MCPPrompt", "b"): "blue",
    Identity("MCPResource", "a"): "red",
    Identity("MCPResource", "b"): "blue",
}
"""All that there ever are, each with its team when a walk begins. There are but few names, so that
objects are made anew under names that were there before."""

SOURCES = {"MCPTool": SERVICES, "MCPPrompt": (None, None), "MCPResource": (CONFIG_MAP, None)}
"""What a member may refer to; either of two."""


class Run(Protocol):
    """Lets a coroutine run to its end, and whatever else happens meanwhile."""

    def __call__(self, doing: Coroutine[Any, Any, T], /) -> T: ...


@dataclass
class Grounds:
    """What all walks have in common.

    Attributes:
        user: The client of whoever makes objects; it goes beside the proxy.
        proxy: What the operators go through.
        run: The event loop of all of them.
        complaints: The errors that were logged.
        clean_up: Called after each walk; may raise if it left anything.
        first_failure: The deeds of the first walk that failed, and why it did.
    """

    user: Client
    proxy: FaultProxy
    run: Run
    complaints: list[str]
    clean_up: Callable[[], None]
    first_failure: str = ""


def recorded(method: Callable[Concatenate[Walk, P], None]) -> Callable[Concatenate[Walk, P], None]:
    """Write a deed into the diary before it is done, and check what always holds after it."""

    @functools.wraps(method)
    def done(walk: Walk, /, *args: P.args, **drawn: P.kwargs) -> None:
        words = [*map(repr, args), *(f"{name}={value!r}" for name, value in drawn.items())]
        walk.diary.append(f"{method.__name__}({', '.join(words)})")
        method(walk, *args, **drawn)
        walk.check()

    return done


def one_of(choices: Callable[[Walk], Collection[Any]]) -> st.SearchStrategy[Any]:
    """Draw one of what a walk has at the moment."""
    return st.runner().flatmap(lambda walk: st.sampled_from(sorted(choices(walk))))


absent = one_of(lambda walk: MEMBERS.keys() - walk.model.members.keys())
present = one_of(lambda walk: walk.model.members)
closed = one_of(lambda walk: set(SERVERS) - walk.model.servers.keys())
opened = one_of(lambda walk: walk.model.servers)
teams = st.sampled_from(TEAMS)
entries = st.sampled_from(ENTRIES)
sources = st.integers(0, 1)
selected = st.sampled_from((None, None, *SELECTED))
selections = st.builds(Selection, st.sampled_from(SELECTED), selected, selected)

with_member = precondition(lambda walk: walk.model.members)
with_server = precondition(lambda walk: walk.model.servers)
while_watching = precondition(lambda walk: walk.stage.running and not walk.stage.blind)


class Walk(RuleBasedStateMachine):
    """One walk, in a namespace of its own."""

    grounds: ClassVar[Grounds]
    model: Model
    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.diary: list[str] = []
        self.stage = Stage(self.grounds.user, self.grounds.proxy)
        self._shop = self.stage.shop
        self._do = self.grounds.run
        self._texts = 0
        self.deeds = 0
        self._do(self.stage.open())
        self._furnish()

    def _furnish(self) -> None:
        """Begin with two servers, each with something of every kind, and a name in dispute."""
        for name in SERVERS:
            self.create_server(name, Selection(name))
            self.expose_or_hide(name)
        for name in SERVICES:
            self.create_or_delete_service(name)
        self.write_text()
        for identity, team in MEMBERS.items():
            self.create(identity, team, ENTRIES[0], 0)
        self.start()
        self._do(self.stage.operator.idle())
        self.diary.clear()

    # The user's deeds

    @precondition(lambda walk: len(walk.model.members) < len(MEMBERS))
    @rule(identity=absent, team=teams, entry=entries, source=sources)
    @recorded
    def create(self, identity: Identity, team: str, entry: str, source: int) -> None:
        content = self._content(identity, entry, source)
        made = self._do(
            self._shop.create(*identity, labels={"team": team}, spec=spec_of(identity, content))
        )
        created = made["metadata"]["creationTimestamp"]
        self.model.members[identity] = Member(created, team, content)

    @with_member
    @rule(identity=present, entry=entries, source=sources)
    @recorded
    def edit(self, identity: Identity, entry: str, source: int) -> None:
        content = self._content(identity, entry, source)
        self._do(self._shop.patch(*identity, spec=spec_of(identity, content)))
        self.model.members[identity].content = content

    @with_member
    @rule(identity=present, team=teams, unseen=st.booleans())
    @recorded
    def relabel(self, identity: Identity, team: str, *, unseen: bool) -> None:
        with self._eyes_closed(unseen=unseen):
            self._do(self._shop.label(*identity, team))
        self.model.members[identity].team = team

    @with_member
    @rule(identity=present)
    @recorded
    def switch(self, identity: Identity) -> None:
        member = self.model.members[identity]
        member.enabled = not member.enabled
        self._do(self._shop.patch(*identity, spec={"enabled": member.enabled}))

    @with_member
    @rule(identity=present, unseen=st.booleans())
    @recorded
    def delete(self, identity: Identity, *, unseen: bool) -> None:
        with self._eyes_closed(unseen=unseen):
            self._do(self._shop.delete(*identity))
        del self.model.members[identity]

    @with_member
    @rule(identity=present, team=teams, entry=entries, source=sources, unseen=st.booleans())
    @recorded
    def recreate(
        self, identity: Identity, team: str, entry: str, source: int, *, unseen: bool
    ) -> None:
        with self._eyes_closed(unseen=unseen):
            self.delete(identity, unseen=False)
            self.create(identity, team, entry, source)

    @precondition(lambda walk: len(walk.model.servers) < len(SERVERS))
    @rule(name=closed, selection=selections)
    @recorded
    def create_server(self, name: str, selection: Selection) -> None:
        self._do(self._shop.create("MCPServer", name, spec=selectors(selection)))
        self.model.servers[name] = Server(selection)

    @with_server
    @rule(name=opened, unseen=st.booleans())
    @recorded
    def delete_server(self, name: str, *, unseen: bool) -> None:
        with self._eyes_closed(unseen=unseen):
            self._do(self._shop.delete("MCPServer", name))
        del self.model.servers[name]

    @with_server
    @rule(name=opened, selection=selections, unseen=st.booleans())
    @recorded
    def recreate_server(self, name: str, selection: Selection, *, unseen: bool) -> None:
        with self._eyes_closed(unseen=unseen):
            self.delete_server(name, unseen=False)
            self.create_server(name, selection)

    @with_server
    @rule(name=opened, selection=selections)
    @recorded
    def select(self, name: str, selection: Selection) -> None:
        self._do(self._shop.patch("MCPServer", name, spec=selectors(selection)))
        self.model.servers[name].selection = selection

    @with_server
    @rule(name=opened, policy=st.sampled_from(("RejectAll", "OldestWins")))
    @recorded
    def decide_conflicts(self, name: str, policy: Policy) -> None:
        self._do(self._shop.patch("MCPServer", name, spec={"naming": {"onConflict": policy}}))
        self.model.servers[name].policy = policy

    @with_server
    @rule(name=opened)
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

    # What befalls the operator

    @precondition(lambda walk: not walk.stage.running)
    @rule()
    @recorded
    def start(self) -> None:
        self._do(self.stage.start())

    @while_watching
    @rule()
    @recorded
    def kill(self) -> None:
        self._do(self.stage.kill())

    @while_watching
    @rule()
    @recorded
    def stop(self) -> None:
        self._do(self.stage.stop())

    @while_watching
    @rule()
    @recorded
    def break_watches(self) -> None:
        self._do(self.stage.break_watches())

    @while_watching
    @rule()
    @recorded
    def go_blind(self) -> None:
        self._do(self.stage.go_blind())

    @precondition(lambda walk: walk.stage.blind)
    @rule()
    @recorded
    def see(self) -> None:
        self._do(self.stage.see())

    @while_watching
    @rule()
    @recorded
    def resync(self) -> None:
        self._do(self.stage.resync())

    @precondition(lambda walk: walk.model.servers)
    @rule()
    @recorded
    def run_pods(self) -> None:
        self._do(self.stage.run_pods())

    @precondition(lambda walk: walk.deeds > 2)
    @rule()
    @recorded
    def settle(self) -> None:
        self._do(self.stage.settle(self.model.expected()))
        self._do(self.stage.rest())
        self.deeds = 0

    # What has to hold

    def check(self) -> None:
        """See that no key is with two workers, and that informers tell nothing but the truth."""
        self.deeds += 1
        self.stage.check()
        assert not self.grounds.complaints, "\n".join(self.grounds.complaints)

    def teardown(self) -> None:
        """See that the walk ends well, unless it has failed already."""
        error = sys.exc_info()[1]
        try:
            if error is None:
                self.settle()
        except Exception as found:
            error = found
            raise
        finally:
            self._report(error)
            self._do(self.stage.close())
            self.grounds.clean_up()

    def _report(self, error: BaseException | None) -> None:
        """Keep the first failure: the same walk may not fail again."""
        is_failure = isinstance(error, Exception) and not isinstance(error, HypothesisException)
        if is_failure and not self.grounds.first_failure:
            self.grounds.first_failure = "\n".join([*self.diary, repr(error)])

    @contextmanager
    def _eyes_closed(self, *, unseen: bool) -> Iterator[None]:
        """Cut all watches while something happens; let their versions expire before they go on."""
        unseen = unseen and self.stage.running and not self.stage.blind
        if unseen:
            self._do(self.stage.go_blind())
        yield
        if unseen:
            self._do(self.stage.see())
            self._do(self.stage.catch_up())

    def _content(self, identity: Identity, entry: str, source: int) -> Content:
        return Content(entry, self._text(), SOURCES[identity.kind][source])

    def _text(self) -> str:
        self._texts += 1
        return f"text {self._texts}"
