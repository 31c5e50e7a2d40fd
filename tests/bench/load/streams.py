"""Measures the cost of many listening clients, and how soon they are notified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from bench.load.client import LOCAL, Clients, message
from bench.load.gateways import Cluster, cluster, tools
from bench.load.proofs import CALLS, Finding, Sizes
from support.waiting import hang_guard

STREAMS: Final = 1000

ADDRESSES: Final = ("127.0.0.2", "127.0.0.3")
"""One client can have half of the streams that a gateway opens."""

LISTEN: Final = message("subscriptions/listen", notifications={"toolsListChanged": True})

MAX_KB: Final = 20.0
MAX_MS: Final = 300.0


class Listening:
    """One client with a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def opened(cls, port: int, address: str) -> Listening:
        """Connect, and wait until the gateway acknowledges the stream."""
        one = cls(*await asyncio.open_connection(LOCAL, port, local_addr=(address, 0)))
        one._writer.write(LISTEN)
        await one.notified(b"notifications/subscriptions/acknowledged")
        return one

    async def notified(self, method: bytes) -> float:
        """Wait for a notification; return its time of arrival in the loop's time."""
        while method not in await self._reader.readuntil(b"\n\n"):
            pass  # a keep-alive
        return asyncio.get_running_loop().time()

    def leave(self) -> None:
        self._writer.close()


@asynccontextmanager
async def listening(port: int, count: int) -> AsyncIterator[list[Listening]]:
    """Open streams until the block ends."""
    async with AsyncExitStack() as stack:
        opened = []
        for number in range(count):
            one = await Listening.opened(port, ADDRESSES[number % len(ADDRESSES)])
            stack.callback(one.leave)
            opened.append(one)
        yield opened


async def _slowest(around: Cluster, streams: list[Listening], name: str) -> float:
    """Replace the catalog; return the milliseconds until the last stream was notified."""
    notified = [asyncio.create_task(each.notified(b"tools/list_changed")) for each in streams]
    await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()
    around.api.publish(tools(name))
    async with hang_guard():
        last = max(await asyncio.gather(*notified))
    return 1000 * (last - began)


async def idle_streams(sizes: Sizes) -> list[Finding]:
    """Let 1,000 clients listen, and replace the catalog several times."""
    async with cluster(tools()) as around:
        gateway = await around.gateway()
        clients = Clients(lambda: gateway.port)
        await clients.at_a_rate(CALLS, 200, 400)
        clients.leave()
        async with listening(gateway.port, 10):
            pass  # memory of the first streams is not freed
        before = gateway.child.rss_mb()
        async with listening(gateway.port, STREAMS) as streams:
            each = 1000 * (gateway.child.rss_mb() - before) / STREAMS
            took = sorted(
                [
                    await _slowest(around, streams, f"more-{number}")
                    for number in range(2 * sizes.rounds + 1)
                ]
            )
    return [
        Finding(f"each of {STREAMS:,} idle streams takes {each:.1f} KB", each <= MAX_KB),
        Finding(
            f"a change of the tools is notified to all {STREAMS:,} within {took[0]:.0f} to "
            f"{took[-1]:.0f} ms, median {took[len(took) // 2]:.0f}",
            took[len(took) // 2] <= MAX_MS,
        ),
    ]
