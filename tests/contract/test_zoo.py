"""The official clients read every kind of result; `tests/clients` has third-party clients."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from support.zoo import ANIMALS, as_expected, serving_zoo

TYPESCRIPT = os.environ.get("MCP_OPERATOR_TS_CLIENT", "")
NODE = shutil.which("node") or ""


@pytest.mark.parametrize("name", ANIMALS)
async def test_the_python_client_reads_every_kind_of_result(name: str) -> None:
    async with serving_zoo() as url, Client(url) as client:
        result = await client.call_tool(name, {})
    animal = ANIMALS[name]
    assert tuple(block.type for block in result.content) == animal.kinds
    assert bool(result.is_error) is animal.failed


async def test_numbers_reach_the_client_exactly_as_the_backend_wrote_them() -> None:
    async with serving_zoo() as url, Client(url) as client:
        result = await client.call_tool("object", {})
    (block,) = result.content
    assert block.type == "text"
    assert block.text == ANIMALS["object"].body.decode()
    assert result.structured_content == json.loads(ANIMALS["object"].body)


@pytest.mark.skipif(
    not (TYPESCRIPT and NODE),
    reason="MCP_OPERATOR_TS_CLIENT names no folder with node_modules (nox -s contract)",
)
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_typescript_client_reads_every_kind_of_result(mode: str) -> None:
    async with serving_zoo() as url:
        outcomes = await run_client(NODE, str(Path(TYPESCRIPT) / "zoo.mjs"), url, mode)
    assert outcomes == as_expected()


async def run_client(*command: str) -> Any:
    """Run a client; return the outcome of each of its calls."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(said)
