"""Waiting for asynchronous changes, for example in a cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

HANG_SECONDS = float(os.environ.get("MCP_OPERATOR_TEST_HANG_SECONDS") or 300.0)
"""Seconds after which a wait counts as hung.

No test depends on this time: it is many times longer than the slowest wait on a busy machine, and
only ends a test that would otherwise never end.
"""


def hang_guard() -> asyncio.Timeout:
    """Raise TimeoutError in a block that takes longer than `HANG_SECONDS`."""
    return asyncio.timeout(HANG_SECONDS)


async def eventually(
    read: Callable[[], Awaitable[T]],
    expected: object,
    *,
    seconds: float = HANG_SECONDS,
    every: float = 0.02,
) -> T:
    """Read repeatedly until the value equals `expected`, and return it.

    Args:
        read: Reads the value.
        expected: The expected value.
        seconds: The timeout; longer than the default only if the product itself waits.
        every: Seconds between two reads.

    Raises:
        AssertionError: The value differed until the timeout; with the last value.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        value = await read()
        if value == expected:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"after {seconds} s: {value!r}, not {expected!r}")
        await asyncio.sleep(every)
