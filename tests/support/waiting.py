"""Waiting for what a cluster does in its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    read: Callable[[], Awaitable[T]], expected: object, *, seconds: float = 10.0
) -> T:
    """Read again and again until what is read equals `expected`, and return it.

    Raises:
        AssertionError: It did not in time; with what was read last.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        value = await read()
        if value == expected:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"after {seconds} s: {value!r}, not {expected!r}")
        await asyncio.sleep(0.02)
