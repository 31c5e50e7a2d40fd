"""Checks the behavior of a gateway under load.

Each proof compares figures of one run, because a busy machine affects all of them. For throughput
and refusals, the best of some rounds counts; for the latencies of other clients, all rounds count.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bench.load.client import LOCAL, SHED, Clients, Tally, call, message, percentile
from bench.load.gateways import MEMORY_MB, TOOLS, cluster, tools
from support.waiting import eventually

CALLS: Final = [call(name) for name in TOOLS]

LIMIT: Final = 100
"""`maxConcurrentRequests`, the default."""


@dataclass(frozen=True)
class Finding:
    """One result, and whether it is as documented."""

    text: str
    kept: bool

    def __str__(self) -> str:
        return f"{'ok  ' if self.kept else 'FAIL'} {self.text}"


@dataclass(frozen=True)
class Sizes:
    """The size of each measurement.

    Attributes:
        rounds: Rounds of measurements that a busy machine can distort.
        seconds: The duration of a load.
        calls: Calls of the soak.
        rate: Calls per second of the soak.
        reloads: Catalogs that replace each other.
    """

    rounds: int = 5
    seconds: float = 5.0
    calls: int = 500_000
    rate: float = 800.0
    reloads: int = 1000


QUICK: Final = Sizes(rounds=1, seconds=1.0, calls=2000, rate=400.0, reloads=50)


@asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run something concurrently until the block ends; fail if it fails."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _failed(tally: Tally, what: str) -> Finding:
    worst = "; ".join(f"{count} of {text}" for text, count in tally.failed.most_common(3))
    text = f"{tally.failures} of {tally.calls:,} {what} failed" + (f": {worst}" if worst else "")
    return Finding(text, kept=not tally.failures)


async def overload(sizes: Sizes) -> list[Finding]:
    """Send three times as many calls as the gateway can handle."""
    goodput, shed, rates, met = 0.0, float("inf"), "", Tally()
    async with cluster(tools(max_concurrent_requests=LIMIT), seconds=0.2) as around:
        gateway = await around.gateway()
        async with beside(gateway.watch_memory()):
            for _ in range(sizes.rounds):
                calm = Clients(lambda: gateway.port)
                each = LIMIT // len(CALLS)
                loads = (calm.one_after_the_other(one, each, sizes.seconds) for one in CALLS)
                await asyncio.gather(*loads)
                calm.leave()
                peak = len(calm.tally.answered) / sizes.seconds
                flood, rate = Clients(lambda: gateway.port), 3 * peak
                await flood.at_a_rate(CALLS, rate, int(rate))
                met += flood.tally  # without the first second, in which clients connect
                flood.tally = Tally()
                await flood.at_a_rate(CALLS, rate, int(rate * sizes.seconds))
                flood.leave()
                good = len(flood.tally.answered) / sizes.seconds
                if good / peak > goodput:
                    goodput, rates = good / peak, f"{good:.0f} of {peak:.0f} a second"
                shed = min(shed, percentile(flood.tally.shed, 0.99))
                met += calm.tally + flood.tally
        return [
            Finding(
                f"at 3 times the peak, goodput is {goodput:.0%} of it ({rates})", goodput >= 0.8
            ),
            Finding(f"99 % of the refusals ({SHED}) take at most {shed:.0f} ms", shed < 50),
            Finding(f"RSS is at most {gateway.rss_mb:.0f} MB", gateway.rss_mb < MEMORY_MB),
            _failed(met, "calls"),
        ]


async def impatience(sizes: Sizes) -> list[Finding]:
    """Run three times as many clients as the limit allows, which retry refused calls at once.

    Backends respond at once, so that the processor is the bottleneck.
    """
    goodput, rates, met = 0.0, "", Tally()
    async with cluster(tools(max_concurrent_requests=LIMIT)) as around:
        gateway = await around.gateway()
        for _ in range(sizes.rounds):
            answered = []
            for times in (1, 3):
                clients = Clients(lambda: gateway.port)
                each = times * LIMIT // len(CALLS)
                loads = (clients.one_after_the_other(one, each, sizes.seconds) for one in CALLS)
                await asyncio.gather(*loads)
                clients.leave()
                met += clients.tally
                answered.append(len(clients.tally.answered) / sizes.seconds)
            if answered[1] / answered[0] > goodput:
                goodput = answered[1] / answered[0]
                rates = f"{answered[1]:.0f} of {answered[0]:.0f} a second"
    return [
        Finding(
            f"goodput with 3 times as many clients as places: {goodput:.0%} of that with as many "
            f"({rates})",
            goodput >= 0.8,
        ),
        _failed(met, "calls"),
    ]


_SILENT_HEAD: Final = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


async def _silent(port: int, address: str, number: int) -> socket.socket:
    """Connect a client that then sends or reads nothing more."""
    one = socket.socket()
    if number % 3 == 2:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(0)
    one.bind((address, 0))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(one, (LOCAL, port))
    whole = message("tools/list")
    started = whole[: -len(whole.partition(b"\r\n\r\n")[2]) + 1]
    await loop.sock_sendall(one, (_SILENT_HEAD, started, whole)[number % 3])
    return one


@asynccontextmanager
async def silence(port: int, clients: int) -> AsyncIterator[list[socket.socket]]:
    """Connect clients from some addresses: with slow heads, with slow bodies, and slow readers."""
    addresses = itertools.cycle(f"127.0.0.{number}" for number in range(2, 6))
    opened = [await _silent(port, next(addresses), number) for number in range(clients)]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


def _is_cut(one: socket.socket) -> bool:
    try:
        while part := one.recv(4096):
            assert part
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


async def silent_clients(sizes: Sizes) -> list[Finding]:
    """Let 2,000 clients send or read nothing more, while others call."""
    calm, beset, many = Tally(), Tally(), 2000
    content = tools(*(f"tool-{number:04}-{'x' * 100}" for number in range(1000)))
    async with cluster(content) as around:
        gateway = await around.gateway()
        before = gateway.descriptors()

        async def others() -> Tally:
            """Let others call once everything before has been processed."""
            clients = Clients(lambda: gateway.port)
            await clients.at_a_rate(CALLS, 100, 100)
            clients.tally.answered.clear()
            await clients.at_a_rate(CALLS, 100, int(100 * sizes.seconds))
            clients.leave()
            return clients.tally

        for _ in range(sizes.rounds):
            calm += await others()
            async with silence(gateway.port, many):
                beset += await others()
        began = asyncio.get_running_loop().time()
        async with silence(gateway.port, many) as clients:
            slow = [one for number, one in enumerate(clients) if number % 3 != 2]

            async def waiting() -> int:
                return sum(not _is_cut(one) for one in slow)

            await eventually(waiting, 0, seconds=120, every=0.5)
            took = asyncio.get_running_loop().time() - began

        async def closed() -> bool:
            return gateway.descriptors() <= before + len(TOOLS)

        await eventually(closed, expected=True, seconds=120)
        p99 = percentile(beset.answered, 0.99), percentile(calm.answered, 0.99)
        ratio = p99[0] / p99[1]
        return [
            Finding(
                f"p99 of others is {p99[0]:.1f} ms beside {many:,} silent clients, "
                f"{p99[1]:.1f} ms without: {ratio:.2f} times",
                ratio <= 2,
            ),
            _failed(calm + beset, "calls of others"),
            Finding(f"slow heads and bodies were cut after {took:.0f} s", took < 60),
        ]


async def soak(sizes: Sizes) -> list[Finding]:
    """Send calls for a long time, and check that they leave nothing behind."""
    async with cluster(tools()) as around:
        gateway = await around.gateway()

        async def load(calls: int) -> Tally:
            clients = Clients(lambda: gateway.port)
            await clients.at_a_rate(CALLS, sizes.rate, calls, at_once=32)
            clients.leave()
            return clients.tally

        async def idle() -> tuple[int, int, float]:
            """Return descriptors, tasks and memory once no connection is open."""

            async def connections() -> bool:
                return "\nmcp_open_connections 0.0\n" in await gateway.management("/metrics")

            await eventually(connections, expected=True)
            return gateway.descriptors(), await gateway.tasks(), gateway.child.rss_mb()

        met = await load(max(1000, sizes.calls // 25))
        before = await idle()
        for _ in range(10):
            met += await load(sizes.calls // 10)
        after = await idle()
    return [
        _failed(met, "calls"),
        Finding(f"descriptors: {before[0]} before, {after[0]} after", after[0] <= before[0]),
        Finding(f"asyncio tasks: {before[1]} before, {after[1]} after", after[1] <= before[1]),
        Finding(
            f"RSS: {before[2]:.1f} MB before, {after[2]:.1f} MB after", after[2] <= before[2] + 10
        ),
    ]


async def reloads(sizes: Sizes) -> list[Finding]:
    """Replace the catalog repeatedly under load."""
    live: list[float] = []
    async with cluster(tools()) as around:
        gateway = await around.gateway()
        clients = Clients(lambda: gateway.port)
        lists = [*CALLS, message("tools/list")]
        loop = asyncio.get_running_loop()

        async def calling() -> None:
            while True:
                await clients.at_a_rate(lists, 200, 200)

        before = gateway.child.rss_mb()
        async with beside(calling()):
            for number in range(sizes.reloads):
                began = loop.time()
                digest = around.api.publish(tools(f"more-{number}"))
                served = await gateway.management(f"/catalog?digest={digest}&wait=30")
                live.append(loop.time() - began)
                assert digest in served, served
        clients.leave()
        after = gateway.child.rss_mb()
    p99 = percentile(live, 0.99)
    return [
        _failed(clients.tally, f"calls during {sizes.reloads:,} reloads"),
        Finding(f"99 % of the catalogs were served within {p99:.0f} ms", p99 <= 1000),
        Finding(f"RSS: {before:.0f} MB before, {after:.0f} MB after", after <= before + 50),
    ]


ROUTED_SECONDS: Final = 1.0
"""Seconds until kube-proxy routes no connection to a terminating pod; see `support.traffic`."""


async def termination(sizes: Sizes) -> list[Finding]:
    """Stop one of two gateways under load, several times."""
    met, slowest = Tally(), 0.0
    async with cluster(tools(), seconds=0.05) as around:
        serving = await around.gateway()
        clients = Clients(lambda: serving.port)
        loop = asyncio.get_running_loop()

        async def calling() -> None:
            await clients.at_a_rate(CALLS, 300, int(300 * sizes.seconds * 2))

        for _ in range(sizes.rounds):
            old, new = serving, await around.gateway()
            load = asyncio.create_task(calling())
            await asyncio.sleep(sizes.seconds / 2)
            began = loop.time()
            old.child.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(ROUTED_SECONDS)
            serving = new
            code = await asyncio.to_thread(old.child.process.wait)
            slowest = max(slowest, loop.time() - began)
            assert code == 0, old.child.tail()
            await load
        met = clients.tally
        clients.leave()
    return [
        _failed(met, f"calls while {sizes.rounds} gateways ended"),
        Finding(f"the slowest took {slowest:.1f} s", slowest <= 30),
    ]


PROOFS: Final = {
    "overload": overload,
    "impatience": impatience,
    "silence": silent_clients,
    "reloads": reloads,
    "termination": termination,
    "soak": soak,
}
