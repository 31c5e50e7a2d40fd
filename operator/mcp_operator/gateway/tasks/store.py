"""Where tasks are kept, whatever keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.tasks.task import Task, encoded

LEASE_SECONDS: Final = 60.0
"""How long whoever claimed a task has for one look at it; then another gateway takes it over."""

MAX_RUNNING: Final = 1000
"""Tasks that have not ended. One client can have half of them."""

MAX_KEPT: Final = 64 * 1024 * 1024
"""Bytes of all tasks together, results included. Those of one client can take half."""

MAX_RESULT: Final = 1024 * 1024
"""Bytes of one result: Redis, which answers within 50 ms, moves it while others wait."""


RECORD_BYTES: Final = 1024
"""What a task takes besides its text."""

MAX_BODY: Final = 1024 * 1024
"""Bytes of a task besides its result: its arguments, and what it asks."""

NO_PLACE: Final = "Too many tasks are in progress; wait until some end"
NO_ROOM: Final = "The storage for tasks and results is full; wait until some expire"


class FullError(OperatorError):
    """There is no room for a task, or for its result; the sentence is fit for clients."""


class StoreAwayError(OperatorError):
    """What keeps the tasks does not answer."""


class Stored(NamedTuple):
    """A task as it was read, with the number of its version, and its result once it has one."""

    task: Task
    revision: int
    result: bytes = b""


class Claimed(NamedTuple):
    """Tasks that are due and nobody else looks at for `LEASE_SECONDS`.

    Attributes:
        tasks: The tasks.
        wait: Seconds until more are due, as far as known; None for no time that is known.
    """

    tasks: Sequence[Stored]
    wait: float | None


class Store(Protocol):
    """Keeps tasks until they expire."""

    async def add(self, task: Task, due: float) -> None:
        """Keep a new task; when this returns, everybody finds it.

        Args:
            task: The task.
            due: Seconds until it may be claimed.

        Raises:
            FullError: There is no room for it.
            StoreAwayError: It could not be kept.
        """
        ...

    async def get(self, task_id: str) -> Stored | None:
        """Return a task, unless it is unknown or has expired.

        Raises:
            StoreAwayError: Nobody can tell.
        """
        ...

    async def save(self, task: Task, revision: int, due: float, result: bytes = b"") -> int | None:
        """Replace a task, if it is still the version that was read.

        Args:
            task: The task as it is now.
            revision: The version that it was made from.
            due: Seconds until it may be claimed; one that has ended never is.
            result: Its result, where it has just got one.

        Returns:
            The number of the new version; None where another was saved meanwhile, or it is gone.

        Raises:
            FullError: There is no room for what was added to it; it is as before.
            StoreAwayError: It may not have been saved.
        """
        ...

    async def claim(self, limit: int) -> Claimed:
        """Take tasks that are due, which makes a new version of each.

        Raises:
            StoreAwayError: Nobody can tell which are.
        """
        ...

    async def changed(self, known: Mapping[str, int]) -> frozenset[str]:
        """Return the ids of the tasks of which there is another version, or none any more.

        Args:
            known: The versions that are known, by id.

        Raises:
            StoreAwayError: Nobody can tell.
        """
        ...


def body_of(task: Task) -> bytes:
    """Return a task as it is kept, without its result.

    Raises:
        FullError: It is too large.
    """
    body = encoded(task)
    if len(body) > MAX_BODY:
        raise FullError("The input of the task is too large; send less")
    return body


def size_of(body: bytes, result: bytes) -> int:
    """Return what a task takes of `MAX_KEPT`."""
    return RECORD_BYTES + len(body) + len(result)
