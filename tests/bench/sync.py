"""Measures the cost of filling a cache with 10,000 objects, and the time it blocks the event loop.

Each way is measured in its own process: `python tests/bench/sync.py KUBECONFIG NAMESPACE WAY`
prints the figures as JSON. The memory is the increase since before the cache was filled.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import sys
import time
from pathlib import Path

from mcp_operator.api.v1alpha1 import MCPTOOLS
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.informer import InformerSet

WAYS = ("WatchList", "pages")
_TICK = 0.005


def rss_mb() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def longest_stall(stalls: list[float]) -> None:
    """Record by how much each short sleep is too long."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_TICK)
        stalls.append(time.perf_counter() - began - _TICK)


async def fill(kubeconfig: Path, namespace: str, way: str) -> dict[str, float]:
    """Fill one cache and return the figures."""
    gc.disable()  # like the operator until its caches are synced
    client = await Client.connect(
        kubeconfig=kubeconfig,
        field_manager="mcp-operator-bench",
        user_agent="mcp-operator-bench",
        metrics=RuntimeMetrics(new_registry()),
    )
    await client.request("GET", "/version")
    informers = InformerSet(client)
    informer = informers.informer(MCPTOOLS, namespace=namespace)
    if way == "pages":
        informer.feeds[0].reflector._use_watch_list = False
    stalls: list[float] = []
    measuring = asyncio.create_task(longest_stall(stalls))
    before, cpu, began = rss_mb(), time.process_time(), time.perf_counter()
    running = asyncio.create_task(informers.run())
    await informer.synced.wait()
    figures = {
        "objects": float(len(informer.store)),
        "wall_seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "rss_mb": rss_mb() - before,
        "longest_stall_ms": max(stalls, default=math.nan) * 1000,
    }
    for task in (running, measuring):
        task.cancel()
    await asyncio.gather(running, measuring, return_exceptions=True)
    await client.close()
    return figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(fill(Path(sys.argv[1]), *sys.argv[2:]))))  # noqa: T201
