"""Outages of several steps, which more than one test goes through."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from faults.actions import Exchange, error_line, pass_on
from faults.proxy import FaultProxy, Rule

EXPIRED = error_line(410, "Expired", "too old resource version: 1 (43349)")
"""Word for word what a server answers to a version that it no longer has."""


@asynccontextmanager
async def blindness(proxy: FaultProxy, namespace: str = "") -> AsyncIterator[Rule]:
    """Cut all watches, or a namespace's, while the block lasts; then their versions expired.

    Each is told so when it is opened again, however late that is. One that was cut before its list
    was complete has no version, and lists when the block ends.

    Args:
        proxy: What they go through.
        namespace: Of the watches; all if empty.

    Yields:
        The rule, met when all that were cut have come back and been told.
    """
    over = asyncio.Event()

    async def wait_then_tell(exchange: Exchange) -> web.StreamResponse:
        missed = not over.is_set() or exchange.seen.selection in cut
        await over.wait()
        if exchange.seen.selection in cut:
            cut.remove(exchange.seen.selection)
        end_if_all_know()
        has_version = "resourceVersion" in exchange.seen.query
        return await (EXPIRED if missed and has_version else pass_on)(exchange)

    def end_if_all_know() -> None:
        if over.is_set() and not cut:
            rule.end()

    watches = f"{namespace}.*watch=true"
    rule = proxy.on(watches, wait_then_tell, times=math.inf)
    cut = [seen.selection for seen in proxy.kill(watches)]
    yield rule
    over.set()
    end_if_all_know()
