"""Uses a server with the official Python client 1.x and says what it saw, one JSON value per line.

First what was listed and called, then, after the server's tools changed, their new names. It runs
in an environment of its own, because both generations of the client are called `mcp`:

    python mcp1_client.py URL
"""
# Written for mcp 1.x, and the type checker's environment holds 2.x:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from mcp import ClientSession, types
from mcp.client.streamable_http import streamablehttp_client


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main(url: str) -> None:
    changed = asyncio.Event()

    async def told(message: object) -> None:
        if isinstance(message, types.ServerNotification) and isinstance(
            message.root, types.ToolListChangedNotification
        ):
            changed.set()

    async with (
        streamablehttp_client(url) as (read, write, _),
        ClientSession(read, write, message_handler=told) as client,
    ):
        greeting = await client.initialize()
        tools = await client.list_tools()
        total = await client.call_tool("add_numbers", {"a": 1, "b": 2})
        regions = await client.call_tool("list_regions", {})
        wrong = await client.call_tool("add_numbers", {"a": "x"})
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "x", "arg2": "y"})
        resource = await client.read_resource("test://template/7/data")
        say(
            {
                "version": greeting.protocolVersion,
                "tools": [tool.name for tool in tools.tools],
                "sum": total.structuredContent,
                "regions": regions.structuredContent,
                "wrong": wrong.isError,
                "prompt": prompt.messages[0].content.text,
                "resource": resource.contents[0].text,
            }
        )
        await changed.wait()
        tools = await client.list_tools()
        say({"tools": [tool.name for tool in tools.tools]})


asyncio.run(main(sys.argv[1]))
