"""The official conformance suite, with a catalog as the server.

`nox -s conformance` installs `conformance/package-lock.json`, and sets the variable of the folder.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from support.everything import serving_everything, serving_replicas
from support.processes import ProcessGroup
from support.redis_server import RedisServer

FOLDER = os.environ.get("MCP_OPERATOR_CONFORMANCE", "")
pytestmark = [
    pytest.mark.skipif(
        not FOLDER, reason="MCP_OPERATOR_CONFORMANCE names no folder with the conformance suite"
    ),
]


async def served(stack: AsyncExitStack, replicas: int, folder: Path) -> str:
    """Serve the fixture with one gateway or with several that share a Redis; return the URL."""
    if replicas == 1:
        return (await stack.enter_async_context(serving_everything())).url
    group = ProcessGroup(folder / "redis")
    group.directory.mkdir()
    stack.callback(group.stop)
    redis = RedisServer(group)
    await redis.start()
    return (await stack.enter_async_context(serving_replicas(replicas, redis.port))).url


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize(("revision", "scenarios"), [("2026-07-28", 50), ("2025-11-25", 33)])
async def test_every_server_scenario_of_a_revision_passes(
    tmp_path: Path, revision: str, scenarios: int, replicas: int
) -> None:
    modules = Path(FOLDER) / "node_modules"
    pinned = modules / ".bin" / "node"
    node = (
        pinned if pinned.exists() else "node"
    )  # Node is pinned only for Linux; the suite needs 22
    suite = modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    async with AsyncExitStack() as stack:
        url = await served(stack, replicas, tmp_path)
        process = await asyncio.create_subprocess_exec(
            *(node, suite, "server", "--url", url),
            *("--requirements", revision, "--output-dir", tmp_path),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()

    summary = output.decode().partition("=== SUMMARY ===")[2].partition("Not scored")[0]
    failed = set(re.findall(r"^✗ ([a-z0-9-]+):", summary, re.MULTILINE))
    assert failed == set()
    assert len(re.findall(r"^✓ ", summary, re.MULTILINE)) == scenarios
