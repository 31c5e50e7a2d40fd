"""Measures the cost of starting, and of idling, in a large converged cluster."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from bench.in_cluster import Account
from bench.sync import WAYS
from bench.workload import converged, create_workload
from support.connected import connected, own_namespace
from support.shop import Shop

IDLE_SECONDS = 30
SHAPE = (500, 10)
UNSELECTED = 5_000
"""Tools in addition to those of the servers, so that there are 10,000."""


async def measure(kubeconfig: Path) -> dict[str, dict[str, float]]:
    """Fill a namespace, let an operator converge it, then start another and let it idle."""
    async with (
        connected(kubeconfig) as client,
        own_namespace(client, "bench-scale") as shop,
        Account(client, kubeconfig, shop.namespace) as account,
    ):
        empty = await _at_rest(account)
        await create_workload(shop, *SHAPE)
        await _unselected(shop, UNSELECTED)
        first = account.operator()
        try:
            await first.ready()
            await converged(client, shop.namespace, SHAPE[1])
        finally:
            first.stop()
        full = await _at_rest(account)
        synced = {f"sync by {way}": await _sync(kubeconfig, shop.namespace, way) for way in WAYS}
    return {"start with nothing": empty, "start with 10,000 tools": full, **synced}


async def _at_rest(account: Account) -> dict[str, float]:
    """Start an operator and measure it until it is idle, and while it is idle."""
    operator = account.operator()
    try:
        await operator.ready()
        requests = await operator.quiet()
        started = {
            "cpu_seconds": operator.cpu_seconds(),
            "rss_mb": operator.rss_mb(),
            "writes": float(requests.total() - requests["GET"]),
        }
        cpu = operator.cpu_seconds()
        await asyncio.sleep(IDLE_SECONDS)
        used = operator.cpu_seconds() - cpu
        more = await operator.requests()
    finally:
        operator.stop()
    return started | {
        "idle_cpu_percent": 100 * used / IDLE_SECONDS,
        "idle_requests_per_minute": (more - requests).total() * 60 / IDLE_SECONDS,
    }


async def _unselected(shop: Shop, count: int) -> None:
    limit = asyncio.Semaphore(16)

    async def create(number: int) -> None:
        async with limit:
            await shop.tool(f"unselected-{number}", "nobody")

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(create(number))


async def _sync(kubeconfig: Path, namespace: str, way: str) -> dict[str, float]:
    script = Path(__file__).with_name("sync.py")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), str(kubeconfig), namespace, way),
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await process.communicate()
    figures: dict[str, float] = json.loads(answer)
    return figures
