"""Tasks that run as long as their owner, and loops that let other tasks run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Iterable
from typing import Final, NoReturn, TypeVar

from mcp_operator.core.errors import OperatorError

STEP_SECONDS: Final = 0.0005
"""Seconds for which work on many items can block the event loop; an iteration costs 0.1 ms."""

T = TypeVar("T")


class TaskDiedError(OperatorError):
    """A task ended, although it must run as long as its owner."""


async def forever(name: str, work: Awaitable[object]) -> NoReturn:
    """Await work that must not end before it is cancelled.

    In an `asyncio.TaskGroup`, the error cancels the whole group and names the task.

    Raises:
        TaskDiedError: The work returned, or raised (the error is then the cause).
    """
    try:
        await work
    except Exception as error:
        raise TaskDiedError(f"{name} failed: {describe(root_error(error))}") from error
    raise TaskDiedError(f"{name} ended, but must run until the process stops")


async def until_cancelled() -> NoReturn:
    """Wait until cancelled."""
    while True:
        await asyncio.get_running_loop().create_future()


def describe(error: BaseException) -> str:
    """Return the text of an OperatorError as it is; the text of a bug starts with its type."""
    if isinstance(error, OperatorError):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def root_error(error: BaseException) -> BaseException:
    """Return the first leaf of nested exception groups, or the error itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def in_steps(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """Yield items, and let other tasks run whenever the work on them has taken `STEP_SECONDS`."""
    until = time.monotonic() + STEP_SECONDS
    for item in items:
        yield item
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + STEP_SECONDS
