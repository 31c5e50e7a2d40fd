"""Calls every tool of a server with langchain-mcp-adapters: `python zoo_langchain.py URL`."""
# Written for langchain, which the type checker's environment does not have:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(url: str) -> None:
    went = {}
    client = MultiServerMCPClient({"zoo": {"transport": "streamable_http", "url": url}})
    for tool in await client.get_tools():
        call = {"type": "tool_call", "id": "1", "name": tool.name, "args": {}}
        try:
            message = await tool.ainvoke(call)
            went[tool.name] = "failed" if message.status == "error" else "fine"
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            went[tool.name] = repr(error)
    sys.stdout.write(json.dumps(went))


asyncio.run(main(sys.argv[1]))
