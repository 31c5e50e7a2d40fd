"""The interface of the stores for tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.tasks.task import Task, encoded

LEASE_SECONDS: Final = 60.0
"""How long a claim on a task lasts; after that, another gateway can claim the task."""

MAX_RUNNING: Final = 1000
"""Tasks that have not ended. One client can have half of them."""

MAX_KEPT: Final = 64 * 1024 * 1024
"""Bytes of all tasks with their results. One client can use half of them."""

MAX_RESULT: Final = 1024 * 1024
"""Bytes of one result, because Redis must transfer it within 50 ms while other calls wait."""


RECORD_BYTES: Final = 1024
"""Approximate bytes of a task in addition to its text."""

MAX_BODY: Final = 1024 * 1024
"""Bytes of a task without its result: its arguments, and its requests to the client."""

NO_PLACE: Final = "Too many tasks are in progress; wait until some end"
NO_ROOM: Final = "The storage for tasks and results is full; wait until some expire"


class FullError(OperatorError):
    """There is no room for a task or for its result; the message is safe for clients."""


class StoreAwayError(OperatorError):
    """The store for tasks is unavailable."""


class Stored(NamedTuple):
    """A stored task, with the number of its version, and its result if it has one."""

    task: Task
    revision: int
    result: bytes = b""


class Claimed(NamedTuple):
    """Due tasks that no other gateway works on for `LEASE_SECONDS`.

    Attributes:
        tasks: The tasks.
        wait: Seconds until the next task is due; None if that is unknown.
    """

    tasks: Sequence[Stored]
    wait: float | None


class Store(Protocol):
    """Stores tasks until they expire."""

    async def add(self, task: Task, due: float) -> None:
        """Store a new task; when this returns, every gateway finds it.

        Args:
            task: The task.
            due: Seconds until it can be claimed.

        Raises:
            FullError: There is no room for the task.
            StoreAwayError: The task could not be stored.
        """
        ...

    async def get(self, task_id: str) -> Stored | None:
        """Return a task, or None if it is unknown or has expired.

        Raises:
            StoreAwayError: The store is unavailable.
        """
        ...

    async def save(self, task: Task, revision: int, due: float, result: bytes = b"") -> int | None:
        """Replace a task, unless another version was saved since it was read.

        Args:
            task: The new version of the task.
            revision: The number of the version that was read.
            due: Seconds until it can be claimed; a task that has ended never is.
            result: Its result, if it has just completed.

        Returns:
            The number of the new version; None if another version was saved first, or the task no
            longer exists.

        Raises:
            FullError: There is no room for what was added; the task has not changed.
            StoreAwayError: It is unknown whether the task was saved.
        """
        ...

    async def claim(self, limit: int) -> Claimed:
        """Claim tasks that are due, which creates a new version of each.

        Raises:
            StoreAwayError: The store is unavailable.
        """
        ...

    async def changed(self, known: Mapping[str, int]) -> frozenset[str]:
        """Return the ids of the tasks that have another version, or that no longer exist.

        Args:
            known: The known versions, by id.

        Raises:
            StoreAwayError: The store is unavailable.
        """
        ...


def body_of(task: Task) -> bytes:
    """Encode a task for storage, without its result.

    Raises:
        FullError: The task is too large.
    """
    body = encoded(task)
    if len(body) > MAX_BODY:
        raise FullError("The input of the task is too large; send less")
    return body


def size_of(body: bytes, result: bytes) -> int:
    """Return the bytes of `MAX_KEPT` that a task uses."""
    return RECORD_BYTES + len(body) + len(result)
