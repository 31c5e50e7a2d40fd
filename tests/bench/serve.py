"""Measures the cost from the start of `mcp-operator serve` to the first tool call."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mcp import Client

from support.processes import ProcessGroup
from support.served_samples import reachable, start

STARTS = 3


async def measure() -> float:
    """Return the CPU seconds of the process, the minimum of several starts."""
    return min([await _started() for _ in range(STARTS)])


async def _started() -> float:
    processes = ProcessGroup(Path(tempfile.mkdtemp(prefix="mcp-operator-bench-")))
    try:
        url, serve = start(processes)
        await reachable(url)
        async with Client(url) as client:
            await client.call_tool("search-products", {"text": "teapot"})
        return serve.cpu_seconds()
    finally:
        processes.stop()
