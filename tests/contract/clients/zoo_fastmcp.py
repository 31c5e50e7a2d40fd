"""Calls every tool of a server with fastmcp: `python zoo_fastmcp.py URL`; says how each went."""
# Written for fastmcp, which the type checker's environment does not have:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from fastmcp import Client


async def main(url: str) -> None:
    went = {}
    async with Client(url) as client:
        for tool in await client.list_tools():
            try:
                result = await client.call_tool(tool.name, {}, raise_on_error=False)
                went[tool.name] = "failed" if result.is_error else "fine"
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                went[tool.name] = repr(error)
    sys.stdout.write(json.dumps(went))


asyncio.run(main(sys.argv[1]))
