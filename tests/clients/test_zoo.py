"""Third-party MCP clients read every kind of result, each in its own environment.

`nox -s clients` creates the environments. No model is called.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from support.zoo import as_expected, serving_zoo

PROGRAMS = Path(__file__).parents[1] / "contract" / "clients"

KNOWN = {
    # langchain-mcp-adapters 0.3 raises NotImplementedError for every audio block.
    "langchain": {"wav"},
}


@pytest.mark.parametrize("client", ["fastmcp", "langchain", "openai", "pydantic"])
async def test_a_client_reads_every_kind_of_result(client: str) -> None:
    variable = f"MCP_OPERATOR_CLIENT_{client.upper()}"
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} names no Python with the client (nox -s clients)")
    async with serving_zoo() as url:
        process = await asyncio.create_subprocess_exec(
            python,
            str(PROGRAMS / f"zoo_{client}.py"),
            url,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
    assert process.returncode == 0
    outcomes, known = json.loads(said), KNOWN.get(client, set())
    assert {name: how for name, how in outcomes.items() if name not in known} == {
        name: how for name, how in as_expected().items() if name not in known
    }
