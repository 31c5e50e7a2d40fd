"""Work on large objects and servers, which must not keep the event loop from all others.

It runs in a thread, for each namespace one piece at a time. A namespace that asks forever more, as
with ten servers of 10,000 tools each, of which somebody edits one again and again, gets a share of
the time; the rest is for others. The event loop takes over from a thread within the switch interval
of the interpreter, which `app.control_plane` sets.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, ParamSpec, Protocol, TypeVar

LARGE_SELECTION: Final = 100
"""Objects. Up to so many are worked on in a few milliseconds, in the event loop."""

LARGE_SPEC: Final = 8 * 1024
"""Bytes of JSON. A spec of this size takes a few milliseconds to compile."""

SHARE: Final = 0.2
"""The part of the time that one namespace gets while it always wants more, in CPU seconds."""

CREDIT_SECONDS: Final = 10.0
"""Seconds of rest that a namespace may owe: two of CPU time, or five catalogs of 10,000 tools."""

MAX_REST_SECONDS: Final = 30.0
"""The longest rest. Some work is done whatever a namespace owes, so that without this a change of
its large servers could be due in hours."""

P = ParamSpec("P")
T = TypeVar("T")


class Run(Protocol):
    """Runs work that reads nothing that changes; `asyncio.to_thread` is one."""

    async def __call__(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of the work."""


class LongWork:
    """Gives each namespace one turn at a time, and says when it has had its share of the time."""

    def __init__(self) -> None:
        self._locks = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._rested: dict[str, float] = {}  # when a namespace owes no more rest

    def rest(self, namespace: str) -> float:
        """Return for how many seconds a namespace has to do without; 0 or less if it has not."""
        now = asyncio.get_running_loop().time()
        return self._rested.get(namespace, now) - CREDIT_SECONDS - now

    @asynccontextmanager
    async def turn(self, namespace: str, *, large: bool) -> AsyncIterator[Run]:
        """Give a function that runs work: in a thread if it is large, otherwise at once.

        For large work, wait for the turn of its namespace, and hold it.
        """
        if not large:
            yield _at_once
            return
        async with self._locks[namespace]:

            async def run(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
                now = asyncio.get_running_loop().time
                began, spent = now(), 0.0

                def timed() -> T:
                    # What it waits for the event loop and other threads is not its own time.
                    nonlocal spent
                    at = time.thread_time()
                    try:
                        return work(*args, **kwargs)
                    finally:
                        spent = time.thread_time() - at

                try:
                    return await asyncio.to_thread(timed)
                finally:
                    rested = max(self._rested.get(namespace, 0.0), began)
                    latest = now() + CREDIT_SECONDS + MAX_REST_SECONDS
                    self._rested[namespace] = min(rested + spent / SHARE, latest)

            yield run


async def _at_once(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return work(*args, **kwargs)
