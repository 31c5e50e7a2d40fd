"""Calls every tool of a server with langchain-mcp-adapters: `python zoo_langchain.py URL`."""
# The environment of the type checker does not have langchain:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(url: str) -> None:
    outcomes = {}
    client = MultiServerMCPClient({"zoo": {"transport": "streamable_http", "url": url}})
    for tool in await client.get_tools():
        call = {"type": "tool_call", "id": "1", "name": tool.name, "args": {}}
        try:
            message = await tool.ainvoke(call)
            outcomes[tool.name] = "failed" if message.status == "error" else "fine"
        except Exception as error:  # noqa: BLE001 - the test shows any error
            outcomes[tool.name] = repr(error)
    sys.stdout.write(json.dumps(outcomes))


asyncio.run(main(sys.argv[1]))
