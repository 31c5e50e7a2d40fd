"""Work that depends on what a client sent, kept off the event loop where that is large.

Python runs one thread at a time, but lets another have its turn every 5 ms, so that the loop goes
on beside what is written in Python. What is written in C or Rust gives no turn, and is bounded by
`weight` and `api.lookaround`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

LARGE: Final = 8 * 1024
"""Bytes of a body that may hold some 2,000 values: what takes longer is done by the worker."""

_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large requests")
"""One thread, so that large requests wait for one another and for nobody else."""

P = ParamSpec("P")
T = TypeVar("T")


async def off_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do some work, elsewhere if the body that it is about is large.

    Args:
        size: Bytes of that body.
        work: What to do; it must share nothing that changes with the event loop.
        *args: Given to `work`.
        **kwargs: Given to `work`.
    """
    if size <= LARGE:
        return work(*args, **kwargs)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_worker, lambda: work(*args, **kwargs))
