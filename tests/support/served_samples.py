"""`mcp-operator serve` with the samples, as a user starts it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import ClientSession

from support.network import free_port
from support.processes import Child, ProcessGroup
from support.waiting import eventually

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"

MODULE = [sys.executable, "-m", "mcp_operator"]


def start(processes: ProcessGroup, command: Sequence[str] = MODULE) -> tuple[str, Child]:
    """Serve the samples on a free port; return the URL of the endpoint."""
    port = free_port()
    arguments = ("serve", SAMPLES, "--demo-backend", f"--port={port}")
    return f"http://127.0.0.1:{port}/mcp", processes.start("serve", [*command, *arguments])


async def reachable(url: str, child: Child | None = None) -> None:
    """Wait until there is any response at a URL; fail if a child exits first."""

    async def answers() -> bool:
        if child is not None:
            child.check()
        try:
            async with session.get(url):
                return True
        except OSError:
            return False

    async with ClientSession() as session:
        await eventually(answers, expected=True)
