"""Every kind of answer, read by the official clients; `tests/clients` has those of others."""

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
async def test_the_python_client_reads_every_kind_of_answer(name: str) -> None:
    async with serving_zoo() as url, Client(url) as client:
        result = await client.call_tool(name, {})
    animal = ANIMALS[name]
    assert tuple(block.type for block in result.content) == animal.kinds
    assert bool(result.is_error) is animal.failed


async def test_numbers_cross_the_wire_as_they_were_written() -> None:
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
async def test_the_typescript_client_reads_every_kind_of_answer(mode: str) -> None:
    async with serving_zoo() as url:
        went = await asked(NODE, str(Path(TYPESCRIPT) / "zoo.mjs"), url, mode)
    assert went == as_expected()


async def asked(*command: str) -> Any:
    """Run a client; return how each of its calls went."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(said)
