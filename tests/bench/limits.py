"""Measures the cost and the accuracy of shared limits, and the effect of a failing Redis on calls.

    PYTHONPATH=operator:tests python tests/bench/limits.py

It only prints figures. Everything runs on loopback, in less than a minute.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

from mcp_operator.api.catalog import Redis
from mcp_operator.api.limits import RateLimit, RateLimits
from mcp_operator.gateway.limits.buckets import Bucket, LocalBuckets
from mcp_operator.gateway.limits.shared import SharedBuckets
from mcp_operator.gateway.redis.link import RedisLink
from support.entries import tool
from support.mcp_http import Server, modern
from support.processes import ProcessGroup
from support.redis_links import Links, until_up
from support.redis_server import RedisServer
from support.tcp_proxy import tcp_proxy

CALL = modern("tools/call", {"name": "search"})
WIDE = RateLimits(
    shared=RateLimit(requests=1_000_000, seconds=1, burst=1_000_000),
    per_client=RateLimit(requests=1_000_000, seconds=1, burst=1_000_000),
)
GATEWAYS = 3


@dataclass
class FixedLink:
    """The gateway's link to Redis, which does not change."""

    link: RedisLink


def report(line: str) -> None:
    """Print a figure."""
    print(line, flush=True)  # noqa: T201


async def cost(links: Links, redis: RedisServer) -> None:
    """Print the CPU time of a call in the protocol core, with a backend that responds at once."""
    link = links.start(redis.port)
    await until_up(link)
    counted = Redis(host="127.0.0.1", port=redis.port, keys="bench:{mcp:demo/shop}:")
    servers = {
        "no limits": Server(tool()),
        "two limits, in the process": Server(tool(), rate_limits=WIDE),
        "two limits, in Redis": Server(
            tool(), rate_limits=WIDE, redis=counted, redis_link=FixedLink(link)
        ),
    }
    for together in (1, 32):
        best = dict.fromkeys(servers, float("inf"))
        for _ in range(7):
            for name, server in servers.items():
                best[name] = min(best[name], await _cpu(server, together))
        for name, micros in best.items():
            report(f"CPU of a call, {together} at a time, {name}: {micros:.1f} us")
    refused = Server(tool(), rate_limits=RateLimits(shared=_once()))
    await refused.respond(CALL)
    report(f"CPU of a refused call: {await _cpu(refused, 1):.1f} us")


def _once() -> RateLimit:
    return RateLimit(requests=1, seconds=3600, burst=1)


async def _cpu(server: Server, together: int, calls: int = 2000) -> float:
    began = time.process_time()
    for _ in range(calls // together):
        await asyncio.gather(*(server.respond(CALL) for _ in range(together)))
    return (time.process_time() - began) / calls * 1e6


async def exactness(links: Links, redis: RedisServer) -> None:
    """Print how many calls three gateways accept together under constant load."""
    gateways = [
        (links.start(redis.port, patient=True), SharedBuckets(LocalBuckets()))
        for _ in range(GATEWAYS)
    ]
    for link, _ in gateways:
        await until_up(link)
    for rate, burst in ((20, 10), (200, 20), (500, 100)):
        one = Bucket(f"s/{rate}", 1 / rate, burst / rate, "shared")
        began = await _now(redis)
        taken = sum(await asyncio.gather(*(_call_repeatedly(*each, one) for each in gateways)))
        allowed = burst + rate * (await _now(redis) - began)
        report(
            f"{rate} a second, burst {burst}, {GATEWAYS} gateways: {taken} calls of "
            f"{allowed:.0f}, {taken / allowed - 1:+.2%}"
        )


async def _call_repeatedly(link: RedisLink, buckets: SharedBuckets, bucket: Bucket) -> int:
    """Return how many of the calls in five seconds are accepted."""
    clock, taken = asyncio.get_running_loop().time, 0
    end = clock() + 5
    while clock() < end:
        taken += await buckets.take(link, [bucket]) is None
        await asyncio.sleep(0)
    return taken


async def _now(redis: RedisServer) -> float:
    seconds, micros = await redis.ask("TIME")
    return int(seconds) + int(micros) / 1e6


async def faults(links: Links, redis: RedisServer) -> None:
    """Print how many calls fail while Redis fails, and how long the others take."""
    with redis.stopped():
        await _fault(links, redis.port, "never there (SIGSTOP before the start)")

    async def stop(stack: ExitStack) -> None:
        stack.enter_context(redis.stopped())

    async def kill(_: ExitStack) -> None:
        redis.kill()

    async def wipe(_: ExitStack) -> None:
        await redis.ask("FLUSHALL")
        await redis.ask("SCRIPT", "FLUSH")

    await _fault(links, redis.port, "SIGSTOP", stop)
    await _fault(links, redis.port, "wiped", wipe)
    async with tcp_proxy(redis.port, delay=0.5) as slow:
        await _fault(links, slow, "half a second late")
    await _fault(links, redis.port, "kill -9", kill)
    await redis.start()


async def _fault(
    links: Links,
    port: int,
    name: str,
    inject: Callable[[ExitStack], Awaitable[None]] | None = None,
) -> None:
    link = links.start(port, patient=False)
    settings = Redis(host="127.0.0.1", port=port, keys="bench:{mcp:demo/shop}:")
    server = Server(tool(), rate_limits=WIDE, redis=settings, redis_link=FixedLink(link))
    loop, took, failed = asyncio.get_running_loop(), list[float](), 0
    left_after = 0.0
    with ExitStack() as stack:
        if inject is not None:
            await until_up(link)
            await inject(stack)
        began = loop.time()
        while loop.time() < began + 3:
            start = loop.time()
            answer = await server.respond(CALL)
            took.append(loop.time() - start)
            failed += answer.status != 200
            if link.is_up:
                left_after = loop.time() - began
            await asyncio.sleep(0.002)
    await link.stop()
    took.sort()
    report(
        f"{name}: {failed} of {len(took)} calls failed; p50 {took[len(took) // 2] * 1e3:.2f} ms, "
        f"p99 {took[len(took) * 99 // 100] * 1e3:.2f} ms, longest {took[-1] * 1e3:.1f} ms; "
        f"last seen up after {left_after:.2f} s"
    )


async def main(*parts: Callable[[Links, RedisServer], Awaitable[None]]) -> None:
    """Run all measurements, or the named ones."""
    with tempfile.TemporaryDirectory() as folder:
        group = ProcessGroup(Path(folder, "redis"))
        group.directory.mkdir()
        try:
            async with AsyncExitStack() as stack:
                links = Links(stack)
                redis = RedisServer(group)
                await redis.start()
                for part in parts:
                    await part(links, redis)
        finally:
            group.stop()


if __name__ == "__main__":
    asyncio.run(main(cost, exactness, faults))
