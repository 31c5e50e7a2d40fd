"""Outages of several steps, which more than one test goes through."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from faults.actions import Exchange, error_line
from faults.proxy import FaultProxy

EXPIRED = error_line(410, "Expired", "too old resource version: 1 (43349)")
"""Word for word what a server answers to a version that it no longer has."""


@asynccontextmanager
async def blindness(
    proxy: FaultProxy, namespace: str = "", *, of_all: bool = True
) -> AsyncIterator[None]:
    """Cut all watches, or a namespace's, while the block lasts; then their versions expired.

    Args:
        proxy: What they go through.
        namespace: Of the watches; all if empty.
        of_all: Go on only when all have come back, which they do if all had their lists before.
    """
    over = asyncio.Event()
    back = asyncio.Semaphore(0)

    async def wait_then_expire(exchange: Exchange) -> web.StreamResponse:
        back.release()
        await over.wait()
        return await EXPIRED(exchange)

    watches = f"{namespace}.*watch=true"
    rule = proxy.on(f"{watches}.*resourceVersion=[0-9]", wait_then_expire, times=math.inf)
    cut = proxy.kill(watches)
    yield
    async with asyncio.timeout(30):
        for _ in range(cut if of_all else 0):
            await back.acquire()  # one that comes back later would not be told that it expired
    rule.left = 0
    over.set()
