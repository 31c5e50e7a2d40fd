"""The tasks of a server, as its clients use them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from mcp_operator.api.catalog import JsonObject, ToolEntry
from mcp_operator.core.clock import Clock
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.contract import Call, Executor, Job
from mcp_operator.gateway.exact import Encoded
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.protocol.answers import Questions
from mcp_operator.gateway.protocol.observer import Observer
from mcp_operator.gateway.redis.contract import HasLink
from mcp_operator.gateway.shares import digest_of
from mcp_operator.gateway.table import Changes, Current
from mcp_operator.gateway.tasks.memory import MemoryStore
from mcp_operator.gateway.tasks.runner import Encode, Places, Runner
from mcp_operator.gateway.tasks.shared import RedisStore
from mcp_operator.gateway.tasks.steps import origin_of
from mcp_operator.gateway.tasks.store import Store, StoreAwayError, Stored
from mcp_operator.gateway.tasks.task import ID_BYTES, Task, described, detailed, new_id
from mcp_operator.gateway.tasks.watch import Watch

_Answer = TypeVar("_Answer")

_ID: Final = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")

PATIENCE: Final = 5
PAUSE_SECONDS: Final = 0.25
"""How often, and with which pauses, a store that is away is asked again."""

MAX_TRIES: Final = 8
"""How often a change is recreated because another came before it."""


class UnknownTaskError(OperatorError):
    """There is no such task for this client; the sentence is fit for it."""

    def __init__(self) -> None:
        super().__init__("Task not found: it has expired, or does not belong to you")


class Tasks:
    """The tasks that this gateway knows: in the Redis of the server, or else in its memory."""

    def __init__(
        self,
        current: Current,
        executor: Executor,
        places: Places,
        clock: Clock,
        redis: HasLink | None = None,
        *,
        alone: bool = True,
        encoded: Encode,
        observer: Observer,
    ) -> None:
        """Set up; nothing runs before there is a task, or `start`.

        Args:
            current: Holds the table in service.
            executor: Calls backends.
            places: Gives places to calls.
            clock: Tells how old tasks are.
            redis: What the gateways of the server share, where it has a Redis.
            alone: Whether this process has all requests that reach the pod.
            encoded: Encodes results.
            observer: Records tasks that are new or have ended.
        """
        self._current = current
        self._clock = clock
        self._alone = alone
        self._observer = observer
        self._memory = MemoryStore(clock)
        self._shared = redis
        self._redis = RedisStore(redis, clock) if redis is not None else None
        self.watch = Watch(self._store)
        self.runner = Runner(
            self._store,
            current,
            executor,
            places,
            clock,
            encoded=encoded,
            observer=observer,
            shared=lambda: self._store() is not self._memory,
        )

    @property
    def are_offered(self) -> bool:
        """Whether the requests of a client find its tasks, in Redis or because all come here."""
        server = self._current.server
        return server.redis is not None or (self._alone and not server.several_pods)

    @property
    def is_away(self) -> bool:
        """Whether tasks cannot be kept now: the Redis of the server does not answer."""
        if self._current.server.redis is None:
            return False
        link = self._shared.link if self._shared is not None else None
        return link is None or not link.is_up

    async def found(self, task_ids: Iterable[object], principal: Principal) -> list[Stored]:
        """Return those of some tasks that a client has.

        Raises:
            StoreAwayError: Nobody can tell.
        """
        found = []
        for task_id in task_ids:
            with suppress(UnknownTaskError):
                found.append(await self._find(task_id, principal))
        return found

    def start(self) -> None:
        """Take over tasks that other gateways have left, while there can be any."""
        self._current.subscribe(self._follow)
        self._follow()

    async def close(self) -> None:
        """Leave all tasks to other gateways."""
        self.watch.close()
        await self.runner.close()

    async def begin(
        self, tool: ToolEntry, arguments: JsonObject, call: Call, principal: Principal
    ) -> JsonObject:
        """Make a call in the background.

        Returns:
            The task (`CreateTaskResult`).

        Raises:
            FullError: There is no room for it.
            StoreAwayError: It cannot be kept now.
        """
        return await self._added(self._new(tool, arguments, call, principal), 0.0)

    async def adopt(
        self, tool: ToolEntry, arguments: JsonObject, job: Job, call: Call, principal: Principal
    ) -> JsonObject:
        """Go on with what a backend has accepted.

        Returns:
            The task (`CreateTaskResult`).

        Raises:
            FullError: There is no room for it.
            StoreAwayError: It cannot be kept now.
        """
        task = self._new(tool, arguments, call, principal)
        return await self._added(task.accepted(job, task.created), min(job.pause, task.max_age))

    async def _added(self, task: Task, due: float) -> JsonObject:
        await _patiently(lambda: self._store().add(task, due))
        self._observer.task("created")
        self.runner.wake()
        return described(task)

    async def get(self, task_id: object, principal: Principal) -> tuple[Task, JsonObject]:
        """Return a task, and what its client is told of it (`DetailedTask`).

        Raises:
            UnknownTaskError: There is none for this client.
            StoreAwayError: Nobody can tell.
        """
        stored = await self._find(task_id, principal)
        return stored.task, detailed(stored.task, Encoded(stored.result))

    async def update(
        self, task_id: object, responses: Mapping[str, Any], principal: Principal
    ) -> None:
        """Take answers to what a task asks for; others, and those that are wrong, are ignored.

        Raises:
            UnknownTaskError: There is no such task for this client.
            FullError: There is no room for the answers.
            StoreAwayError: Nobody can tell.
        """
        for _ in range(MAX_TRIES):
            task, revision, _ = await self._find(task_id, principal)
            answers, _ = Questions(task.asked).answers(responses)
            answered = task.answered(answers, self._now())
            if answered is task:
                return
            waiting = task.created + task.max_age - self._now()
            due = max(0.0, waiting) if answered.asked else 0.0
            if await self._store().save(answered, revision, due) is not None:
                self.runner.wake()
                return
        raise StoreAwayError("the task changes too often")

    async def cancel(self, task_id: object, principal: Principal) -> None:
        """End a task, and what is done for it; one that has ended stays as it is.

        Raises:
            UnknownTaskError: There is no such task for this client.
            StoreAwayError: Nobody can tell.
        """
        for _ in range(MAX_TRIES):
            task, revision, _ = await self._find(task_id, principal)
            cancelled = task.cancelled(self._now())
            if cancelled is task:
                return
            if await self._store().save(cancelled, revision, 0.0) is not None:
                self.runner.note_end(cancelled, "cancelled")
                self.runner.interrupt(task.id)
                self.runner.drop(task)
                return
        raise StoreAwayError("the task changes too often")

    async def _find(self, task_id: object, principal: Principal) -> Stored:
        if not isinstance(task_id, str) or not _ID.fullmatch(task_id):
            raise UnknownTaskError
        stored = await _patiently(lambda: self._store().get(task_id))
        if stored is None or stored.task.owner != _owner(principal):
            raise UnknownTaskError
        return stored

    def _new(
        self, tool: ToolEntry, arguments: JsonObject, call: Call, principal: Principal
    ) -> Task:
        policy = tool.task
        if policy is None:
            raise AssertionError("only tools with spec.task have tasks")
        now = self._now()
        forwarded = {name.lower() for name in tool.backend.forward_headers}
        return Task(
            id=new_id(),
            tool=tool.name,
            origin=origin_of(tool),
            owner=_owner(principal),
            client=call.client,
            created=now,
            updated=now,
            max_age=policy.max_age_seconds,
            pause=policy.poll_seconds,
            arguments=arguments,
            headers=_ascii({name: call.headers[name] for name in forwarded & call.headers.keys()}),
            trace=_ascii(call.trace),
            capabilities=call.capabilities,
        )

    def _store(self) -> Store:
        if self._current.server.redis is None or self._redis is None:
            return self._memory
        return self._redis

    def _follow(self, _: Changes | None = None) -> None:
        table = self._current.table
        if table is not None and any(tool.task for tool in table.tools.values()):
            self.runner.wake()

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _ascii(headers: Mapping[str, str]) -> dict[str, str]:
    """Leave out what no header that is sent can be, and what has no form in JSON."""
    return {name: text for name, text in headers.items() if text.isascii()}


async def _patiently(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Ask a store, and again while it is away for a moment: its Redis has just one connection.

    Args:
        ask: Does the same when it is done twice.

    Raises:
        StoreAwayError: It stays away.
    """
    for _ in range(PATIENCE):
        try:
            return await ask()
        except StoreAwayError:
            await asyncio.sleep(PAUSE_SECONDS)
    return await ask()


def _owner(principal: Principal) -> str:
    """Return what stands for whom a task belongs to; empty for everybody who knows its id."""
    return digest_of(f"{principal.issuer} {principal.name}") if principal.name else ""
