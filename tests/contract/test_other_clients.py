"""The official clients that need an environment of their own: Python 1.x and TypeScript."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.gateway.table import Table
from support.entries import tool
from support.everything import TOOLS, serving_everything
from support.mcp_http import table

PYTHON_1 = os.environ.get("MCP_OPERATOR_MCP1_PYTHON", "")
TYPESCRIPT = os.environ.get("MCP_OPERATOR_TS_CLIENT", "")
NODE = shutil.which("node") or ""

NEEDS_PYTHON_1 = pytest.mark.skipif(
    not PYTHON_1, reason="MCP_OPERATOR_MCP1_PYTHON names no Python with mcp<2 (nox -s contract)"
)
NEEDS_TYPESCRIPT = pytest.mark.skipif(
    not (TYPESCRIPT and NODE),
    reason="MCP_OPERATOR_TS_CLIENT names no folder with node_modules (nox -s contract)",
)
NAMES = sorted(entry.name for entry in TOOLS)


def changed_table() -> Table:
    return table(*TOOLS, tool("newcomer"))


@asynccontextmanager
async def client(*command: str) -> AsyncIterator[asyncio.StreamReader]:
    """Run a client; yields what it says."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.stdout
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def use(executable: str, program: Path, *arguments: str) -> tuple[Any, Any]:
    """Run a client against a gateway; return what it saw before and after a change."""
    async with (
        serving_everything() as served,
        client(executable, str(program), served.url, *arguments) as said,
    ):
        before = json.loads(await said.readline())
        served.current.swap(changed_table())
        return before, json.loads(await said.readline())


@NEEDS_PYTHON_1
async def test_the_first_generation_of_the_python_client_uses_every_feature() -> None:
    before, after = await use(PYTHON_1, Path(__file__).parent / "clients" / "mcp1_client.py")

    assert before["version"] == "2025-11-25"
    assert_used(before)
    assert before["regions"] == {"result": ["eu", "us"]}
    assert after["tools"] == sorted([*NAMES, "newcomer"])


@NEEDS_TYPESCRIPT
@pytest.mark.parametrize(
    ("mode", "version", "regions"),
    [
        ("legacy", "2025-11-25", {"result": ["eu", "us"]}),
        ("2026-07-28", "2026-07-28", ["eu", "us"]),
    ],
)
async def test_the_typescript_client_uses_every_feature(
    mode: str, version: str, regions: object
) -> None:
    before, after = await use(NODE, Path(TYPESCRIPT) / "client.mjs", mode)

    assert before["version"] == version
    assert_used(before)
    assert before["regions"] == regions
    assert before["progress"] == [0, 50, 100]
    assert after["tools"] == sorted([*NAMES, "newcomer"])


def assert_used(seen: Any) -> None:
    assert seen["tools"] == NAMES
    assert seen["sum"] == {"sum": 3.0}
    assert seen["wrong"] is True
    assert seen["prompt"] == "Prompt with arguments: arg1='x', arg2='y'"
    assert json.loads(seen["resource"]) == {"id": "7", "templateTest": True}
