"""Outages of several steps, which more than one test goes through."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from faults.actions import Exchange, Lines, answer, edit, error_event, pass_on
from faults.proxy import FaultProxy, Rule

TOO_OLD = error_event(410, "Expired", "too old resource version: 1 (43349)")
"""Word for word what a server tells of a version that it no longer has."""

EXPIRED = answer(200, TOO_OLD)

SHORTEST_PAUSES = (0.08, 0.16, 0.32, 0.64)
"""Seconds between the first tries, with `short_pauses` and before jitter makes them longer."""


@asynccontextmanager
async def watch_outage(proxy: FaultProxy, namespace: str = "") -> AsyncIterator[Rule]:
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


@contextmanager
def expiry_storm(proxy: FaultProxy) -> Iterator[None]:
    """Let all versions expire as soon as they are known, while the block lasts."""

    async def list_and_expire(lines: Lines) -> Lines:
        async for line in lines:
            yield line
            if b"initial-events-end" in line:
                yield TOO_OLD
                return

    rules = [
        proxy.on("watch=true.*resourceVersion=[0-9]", EXPIRED, times=math.inf),
        proxy.on("sendInitialEvents", edit(list_and_expire), times=math.inf),
    ]
    yield
    for rule in rules:
        rule.end()
