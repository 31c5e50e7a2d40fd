"""Measures the time without a leader after the leader ends, with the default times of the lease.

A user keeps editing a tool. The measured time is from the end of the leader, by SIGKILL or SIGTERM,
to the first write of a reconciler of the standby.
"""

from __future__ import annotations

import asyncio
import functools
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.workload import create_workload
from support.connected import connected, own_namespace
from support.editing import editing
from support.operator_process import OperatorProcess
from support.shop import Shop
from support.waiting import eventually

RUNS = 5


@dataclass(frozen=True)
class Figures:
    """One row: seconds from the leader's end to the standby's first write."""

    name: str
    runs: int
    median: float
    longest: float


async def measure(kubeconfig: Path, runs: int = RUNS) -> list[Figures]:
    """Measure the failover after SIGKILL and after SIGTERM."""
    ends: dict[str, Callable[[OperatorProcess], None]] = {
        "SIGKILL": OperatorProcess.kill,
        "SIGTERM": OperatorProcess.terminate,
    }
    async with (
        connected(kubeconfig) as client,
        own_namespace(client, f"bench-failover-{os.getpid()}") as shop,
    ):
        await create_workload(shop, 1, 10)
        async with editing(shop, ["team-0-tool-0"], every=0.05):
            return [await _series(kubeconfig, shop, name, end, runs) for name, end in ends.items()]


async def _series(
    kubeconfig: Path, shop: Shop, name: str, end: Callable[[OperatorProcess], None], runs: int
) -> Figures:
    seconds = [await _run(kubeconfig, shop, f"{name.lower()}-{n}", end) for n in range(runs)]
    return Figures(name, runs, statistics.median(seconds), max(seconds))


async def _run(
    kubeconfig: Path, shop: Shop, lease: str, end: Callable[[OperatorProcess], None]
) -> float:
    flags = ("--lease-namespace", shop.namespace, "--lease-name", lease)
    leader = OperatorProcess(kubeconfig, shop.namespace, *flags)
    standby: OperatorProcess | None = None
    try:
        await leader.ready()
        await eventually(leader.leads, expected=True)
        standby = OperatorProcess(kubeconfig, shop.namespace, *flags)
        await standby.ready()
        await eventually(functools.partial(_works, leader), expected=True)
        began = time.perf_counter()
        end(leader)
        await eventually(functools.partial(_works, standby), expected=True, seconds=60)
        return time.perf_counter() - began
    finally:
        for each in filter(None, (leader, standby)):
            await asyncio.to_thread(each.stop)


async def _works(operator: OperatorProcess) -> bool:
    """Return whether its reconcilers have written: only they send PATCH requests."""
    return (await operator.requests())["PATCH"] > 0
