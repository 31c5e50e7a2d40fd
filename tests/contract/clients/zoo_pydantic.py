"""Calls every tool of a server with pydantic-ai: `python zoo_pydantic.py URL`; calls no model."""
# The environment of the type checker does not have pydantic-ai:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from pydantic_ai import ModelRetry
from pydantic_ai.mcp import MCPToolset


async def main(url: str) -> None:
    outcomes = {}
    async with MCPToolset(url) as server:
        for tool in await server.list_tools():
            try:
                await server.direct_call_tool(tool.name, {})
                outcomes[tool.name] = "fine"
            except ModelRetry:  # the result is an error
                outcomes[tool.name] = "failed"
            except Exception as error:  # noqa: BLE001 - the test shows any error
                outcomes[tool.name] = repr(error)
    sys.stdout.write(json.dumps(outcomes))


asyncio.run(main(sys.argv[1]))
