"""Runs work on large inputs of clients off the event loop.

Python runs one thread at a time, but switches every 5 ms, so the loop continues while Python code
runs in a thread. Code in C or Rust does not switch; `weight` and `api.lookaround` limit it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

LARGE: Final = 8 * 1024
"""Bytes of a body with up to about 2,000 values; the worker handles larger ones."""

_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large requests")
"""A single thread, so that large requests wait only for one another."""

P = ParamSpec("P")
T = TypeVar("T")


async def off_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run some work, in the worker if the body that it handles is large.

    Args:
        size: Bytes of that body.
        work: The function to call; it must not share mutable state with the event loop.
        *args: Given to `work`.
        **kwargs: Given to `work`.
    """
    if size <= LARGE:
        return work(*args, **kwargs)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_worker, lambda: work(*args, **kwargs))
