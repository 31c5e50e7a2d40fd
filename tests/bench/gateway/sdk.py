"""The same tools with the official Python SDK: `sdk.py PORT UPSTREAM_PORT`.

It is stateless and responds with JSON, which is the cheapest mode of the SDK.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

from httpx2 import AsyncClient
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel, Field

from bench.gateway.files import TOOLS, described, tool_name


class Order(BaseModel):
    id: str
    sku: str
    quantity: int
    total: int = Field(description="What it costs, in cents.")
    days: int = Field(description="Days until it is delivered.")


Sku = Annotated[str, Field(description="The product's sku.", max_length=32)]
Quantity = Annotated[int, Field(ge=1, le=999)]
Note = Annotated[str, Field(description="What the warehouse should know.")]


def server(upstream: AsyncClient) -> MCPServer[Any]:
    made: MCPServer[Any] = MCPServer("shop", log_level="WARNING")

    async def order(sku: Sku, quantity: Quantity, note: Note = "") -> Order:
        arguments = {"sku": sku, "quantity": quantity, "note": note}
        answer = await upstream.post("/orders", json=arguments)
        answer.raise_for_status()
        return Order.model_validate_json(answer.content)

    for number in range(TOOLS):
        made.add_tool(order, name=tool_name(number), description=described(number))
    return made


async def main(port: int, upstream: int) -> None:
    async with AsyncClient(base_url=f"http://127.0.0.1:{upstream}") as client:
        await server(client).run_streamable_http_async(
            port=port, json_response=True, stateless_http=True
        )


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
