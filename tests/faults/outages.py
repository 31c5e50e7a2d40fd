"""Outages of several steps that more than one test uses."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from faults.actions import Exchange, Lines, answer, edit, error_event, pass_on
from faults.proxy import FaultProxy, Rule

TOO_OLD = error_event(410, "Expired", "too old resource version: 1 (43349)")
"""The exact response of a server for an expired resource version."""

EXPIRED = answer(200, TOO_OLD)

SHORTEST_PAUSES = (0.08, 0.16, 0.32, 0.64)
"""Seconds between the first retries, with `short_pauses` and without jitter."""


@asynccontextmanager
async def watch_outage(proxy: FaultProxy, namespace: str = "") -> AsyncIterator[Rule]:
    """Cut the watches of one or all namespaces until the block ends, and expire their versions.

    Each watch gets the error when it is reopened, no matter how late. A watch that was cut before
    its list was complete has no version, and lists when the block ends.

    Args:
        proxy: The proxy that the watches use.
        namespace: Part of the path of the watches; all watches if empty.

    Yields:
        The rule, met when all watches that were cut have reconnected and got the error.
    """
    over = asyncio.Event()

    async def wait_then_expire(exchange: Exchange) -> web.StreamResponse:
        missed = not over.is_set() or exchange.seen.selection in cut
        await over.wait()
        if exchange.seen.selection in cut:
            cut.remove(exchange.seen.selection)
        end_if_all_expired()
        has_version = "resourceVersion" in exchange.seen.query
        return await (EXPIRED if missed and has_version else pass_on)(exchange)

    def end_if_all_expired() -> None:
        if over.is_set() and not cut:
            rule.end()

    watches = f"{namespace}.*watch=true"
    rule = proxy.on(watches, wait_then_expire, times=math.inf)
    cut = [seen.selection for seen in proxy.kill(watches)]
    yield rule
    over.set()
    end_if_all_expired()


@contextmanager
def expiry_storm(proxy: FaultProxy) -> Iterator[None]:
    """Expire every version right after its list, until the block ends."""

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
