"""Waiting for what a cluster does in its own time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

HANG_SECONDS = float(os.environ.get("MCP_OPERATOR_TEST_HANG_SECONDS") or 300.0)
"""Seconds after which a wait counts as hung.

No test expects anything within this time: it is many times what the slowest wait takes on a busy
machine, and only ends a test that would otherwise never end.
"""


def hang_guard() -> asyncio.Timeout:
    """End a block that hangs with a TimeoutError."""
    return asyncio.timeout(HANG_SECONDS)


async def eventually(
    read: Callable[[], Awaitable[T]],
    expected: object,
    *,
    seconds: float = HANG_SECONDS,
    every: float = 0.02,
) -> T:
    """Read again and again until what is read equals `expected`, and return it.

    Args:
        read: Reads it.
        expected: What it has to equal.
        seconds: How long to wait; longer than by default only where the product itself waits.
        every: Seconds between two looks.

    Raises:
        AssertionError: It never did; with what was read last.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        value = await read()
        if value == expected:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"after {seconds} s: {value!r}, not {expected!r}")
        await asyncio.sleep(every)
