"""Runs work on large objects and servers in threads, so that it does not block the event loop.

Each namespace has one piece of work in progress at a time. A namespace that never runs out of work,
for example because somebody keeps editing one of ten servers with 10,000 tools each, gets only a
share of the time. The event loop takes over from a thread within the switch interval of the
interpreter, which `app.control_plane` sets.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, ParamSpec, Protocol, TypeVar

LARGE_SELECTION: Final = 100
"""Objects. Work on up to this many takes a few milliseconds, and runs in the event loop."""

LARGE_SPEC: Final = 8 * 1024
"""Bytes of JSON. A spec of this size takes a few milliseconds to compile."""

SHARE: Final = 0.2
"""The share of the time, in CPU seconds, that a namespace gets if it never runs out of work."""

CREDIT_SECONDS: Final = 10.0
"""Seconds of rest that a namespace can owe before it has to wait. It owes that much after two
seconds of CPU time, or five catalogs of 10,000 tools."""

MAX_REST_SECONDS: Final = 30.0
"""The longest rest. Some work does not wait for the rest to end, and adds to it. Without a limit, a
change of the namespace's large servers could be delayed by hours."""

P = ParamSpec("P")
T = TypeVar("T")


class Run(Protocol):
    """Runs work that reads only data that does not change; `asyncio.to_thread` is an example."""

    async def __call__(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of the work."""


class LongWork:
    """Gives each namespace one turn at a time, and tracks its share of the time."""

    def __init__(self) -> None:
        self._locks = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._rested: dict[str, float] = {}  # when a namespace owes no more rest

    def rest(self, namespace: str) -> float:
        """Return the seconds that a namespace has to wait; 0 or less if it does not have to."""
        now = asyncio.get_running_loop().time()
        return self._rested.get(namespace, now) - CREDIT_SECONDS - now

    @asynccontextmanager
    async def turn(self, namespace: str, *, large: bool) -> AsyncIterator[Run]:
        """Yield a function that runs work: in a thread if it is large, otherwise at once.

        For large work, wait for the turn of its namespace, and keep it until the block ends.
        """
        if not large:
            yield _at_once
            return
        async with self._locks[namespace]:

            async def run(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
                now = asyncio.get_running_loop().time
                began, spent = now(), 0.0

                def timed() -> T:
                    # Time spent waiting for the event loop and other threads does not count.
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
