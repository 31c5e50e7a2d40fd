"""The tasks of a server, with the operations that clients use."""

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
"""How often an unavailable store is retried, and the pause before each retry."""

MAX_TRIES: Final = 8
"""How often a change is retried because another change came first."""


class UnknownTaskError(OperatorError):
    """The client has no such task; the message is safe for clients."""

    def __init__(self) -> None:
        super().__init__("Task not found: it has expired, or does not belong to you")


class Tasks:
    """The tasks of this gateway: in the Redis of the server, or otherwise in its memory."""

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
        """Set up; no work starts before the first task, or `start`.

        Args:
            current: Holds the table in service.
            executor: Calls backends.
            places: Provides places for calls.
            clock: For the age of tasks.
            redis: The state that the gateways of the server share, if the server has a Redis.
            alone: Whether this process gets all requests that reach the pod.
            encoded: Encodes results.
            observer: Records new tasks, and tasks that have ended.
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
        """Whether all requests of a client can reach its tasks: by Redis, or in one process."""
        server = self._current.server
        return server.redis is not None or (self._alone and not server.several_pods)

    @property
    def is_away(self) -> bool:
        """Whether tasks cannot be stored now, because the Redis of the server is unavailable."""
        if self._current.server.redis is None:
            return False
        link = self._shared.link if self._shared is not None else None
        return link is None or not link.is_up

    async def found(self, task_ids: Iterable[object], principal: Principal) -> list[Stored]:
        """Return those of the given tasks that belong to a client.

        Raises:
            StoreAwayError: The store is unavailable.
        """
        found = []
        for task_id in task_ids:
            with suppress(UnknownTaskError):
                found.append(await self._find(task_id, principal))
        return found

    def start(self) -> None:
        """Start to take over tasks that other gateways have left, if a tool can have tasks."""
        self._current.subscribe(self._follow)
        self._follow()

    async def close(self) -> None:
        """Stop all work, and leave the tasks to other gateways."""
        self.watch.close()
        await self.runner.close()

    async def begin(
        self, tool: ToolEntry, arguments: JsonObject, call: Call, principal: Principal
    ) -> JsonObject:
        """Create a task that makes a call in the background.

        Returns:
            The task (`CreateTaskResult`).

        Raises:
            FullError: There is no room for the task.
            StoreAwayError: The task cannot be stored now.
        """
        return await self._added(self._new(tool, arguments, call, principal), 0.0)

    async def adopt(
        self, tool: ToolEntry, arguments: JsonObject, job: Job, call: Call, principal: Principal
    ) -> JsonObject:
        """Create a task for a job that a backend has accepted.

        Returns:
            The task (`CreateTaskResult`).

        Raises:
            FullError: There is no room for the task.
            StoreAwayError: The task cannot be stored now.
        """
        task = self._new(tool, arguments, call, principal)
        return await self._added(task.accepted(job, task.created), min(job.pause, task.max_age))

    async def _added(self, task: Task, due: float) -> JsonObject:
        await _patiently(lambda: self._store().add(task, due))
        self._observer.task("created")
        self.runner.wake()
        return described(task)

    async def get(self, task_id: object, principal: Principal) -> tuple[Task, JsonObject]:
        """Return a task, and its representation for clients (`DetailedTask`).

        Raises:
            UnknownTaskError: The client has no such task.
            StoreAwayError: The store is unavailable.
        """
        stored = await self._find(task_id, principal)
        return stored.task, detailed(stored.task, Encoded(stored.result))

    async def update(
        self, task_id: object, responses: Mapping[str, Any], principal: Principal
    ) -> None:
        """Store answers to requests of a task; unknown and invalid answers are ignored.

        Raises:
            UnknownTaskError: The client has no such task.
            FullError: There is no room for the answers.
            StoreAwayError: The store is unavailable.
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
        """Cancel a task and the work on it; does nothing if the task has ended.

        Raises:
            UnknownTaskError: The client has no such task.
            StoreAwayError: The store is unavailable.
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
    """Remove headers that cannot be sent, and those that JSON cannot represent."""
    return {name: text for name, text in headers.items() if text.isascii()}


async def _patiently(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Query a store, and retry for a moment if it is unavailable, for example during a reconnect.

    Args:
        ask: The query, which must be idempotent.

    Raises:
        StoreAwayError: The store stays unavailable.
    """
    for _ in range(PATIENCE):
        try:
            return await ask()
        except StoreAwayError:
            await asyncio.sleep(PAUSE_SECONDS)
    return await ask()


def _owner(principal: Principal) -> str:
    """Return a digest of a task's owner; empty if every client that knows the id can use it."""
    return digest_of(f"{principal.issuer} {principal.name}") if principal.name else ""
