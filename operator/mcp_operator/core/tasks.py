"""Background tasks that have a name, an owner and a way to die, and that never die in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, NoReturn

from mcp_operator.core.errors import OperatorError

logger = logging.getLogger(__name__)


class TaskDiedError(OperatorError):
    """A task ended that has to run as long as its owner does."""


async def forever(name: str, work: Awaitable[object]) -> NoReturn:
    """Await work that must not end before it is cancelled.

    In an `asyncio.TaskGroup` this takes the whole group down with a cause that names the task.

    Raises:
        TaskDiedError: The work returned, or raised (then with the error as the cause).
    """
    try:
        await work
    except Exception as error:
        raise TaskDiedError(f"{name} failed: {describe(root_error(error))}") from error
    raise TaskDiedError(f"{name} ended, but it has to run until the process stops")


async def until_cancelled() -> NoReturn:
    """Wait for nothing but to be cancelled."""
    while True:
        await asyncio.get_running_loop().create_future()


def describe(error: BaseException) -> str:
    """Return an error as text: a person's sentence as it is, a bug with the name of its type."""
    if isinstance(error, OperatorError):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def root_error(error: BaseException) -> BaseException:
    """Return the first leaf of nested exception groups; an error that is no group is its own."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class TaskSet:
    """Owns tasks that come and go while their owner lives; `close` ends those that are left.

    A task that fails is logged with its name, and does not disturb the others. For tasks whose
    failure has to stop the owner, use `forever` in an `asyncio.TaskGroup`.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Run `work` in the background; the set keeps the task from being garbage collected."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def close(self) -> None:
        """Cancel all tasks and wait until they are gone."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error(
                "A background task failed",
                exc_info=error,
                extra={"task": task.get_name(), "error": describe(error)},
            )
