"""Tasks in the memory of one process, for servers without Redis; they are lost when it ends."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from mcp_operator.core.clock import Clock
from mcp_operator.gateway.shares import Shares
from mcp_operator.gateway.tasks.store import (
    LEASE_SECONDS,
    MAX_KEPT,
    MAX_RUNNING,
    NO_PLACE,
    NO_ROOM,
    Claimed,
    FullError,
    Stored,
    body_of,
    size_of,
)
from mcp_operator.gateway.tasks.task import Task, decoded


@dataclass(slots=True)
class _Kept:
    client: str
    body: bytes
    expires: float
    result: bytes = b""
    revision: int = 1

    @property
    def size(self) -> int:
        return size_of(self.body, self.result)


class MemoryStore:  # a `Store`
    """Stores tasks in the same encoding as in Redis, so that their size is known."""

    def __init__(self, clock: Clock) -> None:
        """Set up an empty store.

        Args:
            clock: For the expiry of tasks.
        """
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._due: dict[str, float] = {}
        """When each task that has not ended can be claimed, in the loop's time."""
        self._expiring: list[tuple[float, str]] = []
        """A heap of expiry times. Entries can be outdated; `_Kept` has the current time."""
        self._running = Shares(MAX_RUNNING)
        self._bytes = Shares(MAX_KEPT)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def held(self) -> int:
        """Bytes that are stored."""
        return self._bytes.held

    async def add(self, task: Task, due: float) -> None:
        """Store a new task."""
        self._forget_expired()
        kept = _Kept(task.client, body_of(task), task.expires)
        if not self._running.take(task.client):
            raise FullError(NO_PLACE)
        if not self._bytes.take(task.client, kept.size):
            self._running.give_back(task.client)
            raise FullError(NO_ROOM)
        self._kept[task.id] = kept
        self._due[task.id] = asyncio.get_running_loop().time() + due
        heapq.heappush(self._expiring, (task.expires, task.id))

    async def get(self, task_id: str) -> Stored | None:
        """Return a task, or None if it is unknown or has expired."""
        self._forget_expired()
        kept = self._kept.get(task_id)
        return None if kept is None else _stored(kept)

    async def save(self, task: Task, revision: int, due: float, result: bytes = b"") -> int | None:
        """Replace a task, unless another version was saved since it was read."""
        kept = self._kept.get(task.id)
        if kept is None or kept.revision != revision:
            return None
        body = body_of(task)
        growth = size_of(body, result or kept.result) - kept.size
        if growth > 0 and not self._bytes.take(kept.client, growth):
            raise FullError(NO_ROOM)
        if growth < 0:
            self._bytes.give_back(kept.client, -growth)
        kept.body, kept.result = body, result or kept.result
        kept.revision += 1
        if not task.has_ended:
            self._due[task.id] = asyncio.get_running_loop().time() + due
        elif self._due.pop(task.id, None) is not None:
            self._running.give_back(kept.client)
        if kept.expires != task.expires:
            kept.expires = task.expires
            heapq.heappush(self._expiring, (task.expires, task.id))
        return kept.revision

    async def claim(self, limit: int) -> Claimed:
        """Claim tasks that are due."""
        self._forget_expired()
        now = asyncio.get_running_loop().time()
        found = heapq.nsmallest(limit, ((at, task_id) for task_id, at in self._due.items()))
        taken = [self._kept[task_id] for at, task_id in found if at <= now]
        for (_, task_id), kept in zip(found, taken, strict=False):
            self._due[task_id] = now + LEASE_SECONDS
            kept.revision += 1
        following = min(self._due.values(), default=None)
        wait = None if following is None else max(0.0, following - now)
        return Claimed([_stored(kept) for kept in taken], wait)

    async def changed(self, known: Mapping[str, int]) -> frozenset[str]:
        """Return the ids of the tasks that have another version, or that no longer exist."""
        self._forget_expired()
        return frozenset(
            task_id
            for task_id, revision in known.items()
            if (kept := self._kept.get(task_id)) is None or kept.revision != revision
        )

    def _forget_expired(self) -> None:
        now = self._clock.now().timestamp()
        while self._expiring and self._expiring[0][0] <= now:
            _, task_id = heapq.heappop(self._expiring)
            kept = self._kept.get(task_id)
            if kept is None or kept.expires > now:
                continue
            del self._kept[task_id]
            self._bytes.give_back(kept.client, kept.size)
            if self._due.pop(task_id, None) is not None:
                self._running.give_back(kept.client)


def _stored(kept: _Kept) -> Stored:
    return Stored(decoded(kept.body), kept.revision, kept.result)
