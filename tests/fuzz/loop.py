"""One event loop for all inputs, because creating one for each would take most of the time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_ends: list[Callable[[], Awaitable[None]]] = []


@functools.cache
def event_loop() -> asyncio.AbstractEventLoop:
    """Return the loop."""
    return asyncio.new_event_loop()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return event_loop().run_until_complete(work)


def at_end(stop: Callable[[], Awaitable[None]]) -> None:
    """Register something that `close` stops."""
    _ends.append(stop)


def close() -> None:
    """Stop the loop and everything in it; no target works after this."""

    async def stop() -> None:
        for each in _ends:
            await each()

    run(stop())
    event_loop().close()
