"""The official conformance suite, against what a catalog can express.

`nox -s conformance` installs what `conformance/package-lock.json` pins, and names the folder.
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

MODERN_FAILURES = {
    "server-stateless",  # some of its 28 checks call tools that ask the client
    *(
        f"input-required-result-{name}"
        for name in (
            *("basic-elicitation", "basic-sampling", "basic-list-roots", "request-state"),
            *("multiple-input-requests", "multi-round", "non-tool-request", "result-type"),
            *("tampered-state", "capability-check"),
        )
    ),
}
"""Need tools that ask the client for input."""

LEGACY_FAILURES = {
    "tools-call-sampling",
    "tools-call-elicitation",
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
}
"""Need tools that ask the client for input."""


async def served(stack: AsyncExitStack, replicas: int, folder: Path) -> str:
    """Serve the fixture, by one gateway or by several that share a Redis; return the URL."""
    if replicas == 1:
        return (await stack.enter_async_context(serving_everything())).url
    group = ProcessGroup(folder / "redis")
    group.directory.mkdir()
    stack.callback(group.stop)
    redis = RedisServer(group)
    await redis.start()
    return await stack.enter_async_context(serving_replicas(replicas, redis.port))


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize(
    ("revision", "expected", "passed"),
    [("2026-07-28", MODERN_FAILURES, 39), ("2025-11-25", LEGACY_FAILURES, 29)],
)
async def test_exactly_what_cannot_be_expressed_fails(
    tmp_path: Path, revision: str, expected: set[str], passed: int, replicas: int
) -> None:
    modules = Path(FOLDER) / "node_modules"
    pinned = modules / ".bin" / "node"
    node = pinned if pinned.exists() else "node"  # only Linux's is pinned; the suite needs 22
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
    assert failed == expected
    assert len(re.findall(r"^✓ ", summary, re.MULTILINE)) == passed
