"""Calls every tool of a server with pydantic-ai: `python zoo_pydantic.py URL`; calls no model."""
# Written for pydantic-ai, which the type checker's environment does not have:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from pydantic_ai import ModelRetry
from pydantic_ai.mcp import MCPToolset


async def main(url: str) -> None:
    went = {}
    async with MCPToolset(url) as server:
        for tool in await server.list_tools():
            try:
                await server.direct_call_tool(tool.name, {})
                went[tool.name] = "fine"
            except ModelRetry:  # how it tells of a result that is an error
                went[tool.name] = "failed"
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                went[tool.name] = repr(error)
    sys.stdout.write(json.dumps(went))


asyncio.run(main(sys.argv[1]))
