"""Calls every tool of a server with openai-agents: `python zoo_openai.py URL`; calls no model."""
# Written for openai-agents, which the type checker's environment does not have:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from agents import RunContextWrapper
from agents.mcp import MCPServerStreamableHttp, MCPUtil


async def main(url: str) -> None:
    went = {}
    async with MCPServerStreamableHttp(params={"url": url}) as server:
        for tool in await server.list_tools():
            try:
                MCPUtil.to_function_tool(tool, server, convert_schemas_to_strict=True)
                result = await server.call_tool(tool.name, {})
                await MCPUtil.invoke_mcp_tool(server, tool, RunContextWrapper(context=None), "{}")
                went[tool.name] = "failed" if result.is_error else "fine"
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                went[tool.name] = repr(error)
    sys.stdout.write(json.dumps(went))


asyncio.run(main(sys.argv[1]))
