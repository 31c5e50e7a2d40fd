"""Calls every tool of a server with openai-agents: `python zoo_openai.py URL`; calls no model."""
# The environment of the type checker does not have openai-agents:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from agents import RunContextWrapper
from agents.mcp import MCPServerStreamableHttp, MCPUtil


async def main(url: str) -> None:
    outcomes = {}
    async with MCPServerStreamableHttp(params={"url": url}) as server:
        for tool in await server.list_tools():
            try:
                MCPUtil.to_function_tool(tool, server, convert_schemas_to_strict=True)
                result = await server.call_tool(tool.name, {})
                await MCPUtil.invoke_mcp_tool(server, tool, RunContextWrapper(context=None), "{}")
                outcomes[tool.name] = "failed" if result.is_error else "fine"
            except Exception as error:  # noqa: BLE001 - the test shows any error
                outcomes[tool.name] = repr(error)
    sys.stdout.write(json.dumps(outcomes))


asyncio.run(main(sys.argv[1]))
