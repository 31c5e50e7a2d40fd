"""Calls every tool of a server with fastmcp: `python zoo_fastmcp.py URL`; prints each outcome."""
# The environment of the type checker does not have fastmcp:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from fastmcp import Client


async def main(url: str) -> None:
    outcomes = {}
    async with Client(url) as client:
        for tool in await client.list_tools():
            try:
                result = await client.call_tool(tool.name, {}, raise_on_error=False)
                outcomes[tool.name] = "failed" if result.is_error else "fine"
            except Exception as error:  # noqa: BLE001 - the test shows any error
                outcomes[tool.name] = repr(error)
    sys.stdout.write(json.dumps(outcomes))


asyncio.run(main(sys.argv[1]))
