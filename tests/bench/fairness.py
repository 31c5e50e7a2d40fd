"""Measures how much a hostile namespace delays a change in another one.

A bystander edits a tool, and waits until the catalog of its server has the edit: first without an
attack, then during each attack, which runs in its own process: `python tests/bench/fairness.py
KUBECONFIG NAMESPACE ATTACK`. The wall times are what a user sees on this machine, where attacker,
API server and operator share the processors. The CPU times are the part of the operator: how long
its event loop worked from when the edit was visible until its catalog was sent.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from bench.propagation import Witness
from mcp_operator.api.v1alpha1 import MCPTOOLS
from mcp_operator.builders.names import config_name
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.runtime.client import Client
from support.connected import connected, own_namespace
from support.operator_process import OperatorProcess
from support.shop import Shop

CROWD = 10_000
"""Tools that each of the greedy servers selects."""

GREEDY_SERVERS = 10
DENSE_LISTS = 430_000

WITNESS_PRIORITY = -10
"""The nice value of this process, if permitted, so that it notices edits without delay."""

LONGEST_SERIES = 90.0
"""Seconds after which a series of edits ends early."""


async def several(works: Iterable[Awaitable[object]]) -> None:
    limit = asyncio.Semaphore(16)

    async def one(work: Awaitable[object]) -> None:
        async with limit:
            await work

    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(one(work))


async def crowd(shop: Shop) -> None:
    for number in range(GREEDY_SERVERS):
        await shop.server(f"greedy-{number}", "crowd")
    await several(shop.tool(f"tool-{number}", "crowd") for number in range(CROWD))


async def one_server(shop: Shop) -> None:
    await shop.server("hostile", "crowd")
    await shop.tool("tool-0", "crowd")


async def edits(shop: Shop) -> None:
    for number in itertools.count():
        await shop.patch("MCPTool", "tool-0", spec={"description": f"edit {number}"})


async def flood(shop: Shop) -> None:
    for batch in itertools.count():
        await several(shop.tool(f"flood-{batch}-{number}", "crowd") for number in range(50))


async def dense(shop: Shop) -> None:
    for number in itertools.count():
        schema = {"type": "object", "title": str(number), "x": [[] for _ in range(DENSE_LISTS)]}
        await shop.patch("MCPTool", "tool-0", spec={"inputSchema": schema})


Step = Callable[[Shop], Awaitable[None]]
ATTACKS: dict[str, tuple[Step, Step]] = {
    "hot loop": (one_server, edits),
    "dense": (one_server, dense),
    "greedy": (crowd, edits),
    "flood": (one_server, flood),
}
"""The preparation of an attacker, and what it does repeatedly."""


class Edits:
    """A series of edits by the bystander.

    Attributes:
        wall: Milliseconds from before the edit was sent until its catalog was observed.
        moments: When each edit was sent, and when it was visible at the latest, in the time of
            the operator's timeline.
    """

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.moments: list[tuple[float, float]] = []

    async def run(self, shop: Shop, witness: Witness, count: int) -> None:
        until = time.monotonic() + LONGEST_SERIES
        while len(self.wall) < count and time.monotonic() < until:
            await asyncio.sleep(random.uniform(0.05, 0.15))  # noqa: S311 - any moment will do
            seen = witness.next(MCPTOOLS, "tool")
            served = witness.next(CONFIGMAPS, config_name("server"))
            sent, began = time.perf_counter(), time.monotonic()
            text = f"edit {random.getrandbits(64)}"
            await shop.patch("MCPTool", "tool", spec={"description": text})
            answered = time.monotonic()
            self.moments.append((began, min(answered, began + await seen - sent)))
            self.wall.append((await served - sent) * 1000)


async def measure(kubeconfig: Path, attack: str, count: int) -> dict[str, Sequence[float]]:
    """Return the medians and 99th percentiles, without and during an attack."""
    setting, _ = ATTACKS[attack]
    name = f"bench-fair-{os.getpid()}-{attack.replace(' ', '-')}"
    with tempfile.TemporaryDirectory() as directory:
        timeline = Path(directory, "timeline.json")
        async with (
            connected(kubeconfig) as client,
            own_namespace(client, f"{name}-victim") as bystander,
            own_namespace(client, name) as hostile,
        ):
            for shop in (bystander, hostile):
                await shop.service()
            await bystander.server("server")
            await bystander.tool("tool", "server")
            await setting(hostile)
            operator = OperatorProcess(kubeconfig, "", program=(_TIMELINE, timeline))
            quiet, attacked = Edits(), Edits()
            try:
                await operator.ready()
                await operator.quiet()
                with contextlib.suppress(PermissionError):
                    os.setpriority(os.PRIO_PROCESS, 0, WITNESS_PRIORITY)
                await _series(client, bystander, quiet, count)
                attacker = await asyncio.create_subprocess_exec(
                    *("nice", "-n", str(-WITNESS_PRIORITY)),
                    *(sys.executable, __file__, str(kubeconfig), hostile.namespace, attack),
                )
                try:
                    await asyncio.sleep(2)
                    await _series(client, bystander, attacked, count)
                finally:
                    attacker.kill()
                    await attacker.wait()
                rss = operator.rss_mb()
            finally:
                with contextlib.suppress(PermissionError):
                    os.setpriority(os.PRIO_PROCESS, 0, 0)
                operator.stop()
            log = Timeline(timeline, bystander.namespace)
    return {
        "quiet, CPU ms": _figures(log.ahead(quiet.moments)),
        "attacked, CPU ms": _figures(log.ahead(attacked.moments)),
        "quiet, wall ms": _figures(quiet.wall),
        "attacked, wall ms": _figures(attacked.wall),
        "RSS MB": (rss,),
    }


_TIMELINE = Path(__file__).with_name("timeline.py")


async def _series(client: Client, shop: Shop, edits: Edits, count: int) -> None:
    witness = Witness(client, shop.namespace)
    following = [asyncio.create_task(witness.follow(r)) for r in (MCPTOOLS, CONFIGMAPS)]
    await asyncio.sleep(0.5)  # until both watches are established
    try:
        await edits.run(shop, witness, count)
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


def _figures(series: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(series)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)]


class Timeline:
    """The output of `timeline.py` for an operator, as far as it concerns the bystander."""

    def __init__(self, file: Path, namespace: str) -> None:
        kept = json.loads(file.read_text(encoding="utf-8"))
        self._times: list[float] = [when for when, _ in kept["turns"]]
        self._used: list[float] = [used for _, used in kept["turns"]]
        self._writes = [
            (when, used)
            for when, used, kind, where, _ in kept["writes"]
            if (kind, where) == (CONFIGMAPS.kind, namespace)
        ]

    def ahead(self, moments: Sequence[tuple[float, float]]) -> list[float]:
        """Return how many ms the event loop worked until the catalog of each edit was sent."""
        found = []
        for sent, seen in moments:
            when, used = self._writes[bisect.bisect_left(self._writes, (sent, 0.0))]
            found.append((used - self._used_at(min(seen, when))) * 1000)
        return found

    def _used_at(self, moment: float) -> float:
        after = bisect.bisect_left(self._times, moment)
        (began, ended), (used, then) = (
            column[after - 1 : after + 1] for column in (self._times, self._used)
        )
        return used + (then - used) * (moment - began) / max(ended - began, 1e-9)


async def attack(kubeconfig: Path, namespace: str, name: str) -> None:
    async with connected(kubeconfig) as client:
        await ATTACKS[name][1](Shop(client, namespace))


if __name__ == "__main__":
    asyncio.run(attack(Path(sys.argv[1]), *sys.argv[2:]))
