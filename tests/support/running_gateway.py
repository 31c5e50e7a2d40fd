"""A gateway on loopback, and a client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.table import Current
from support.entries import tool
from support.fake_executor import FakeExecutor
from support.mcp_http import legacy, message_of, table


class Running:
    """A listening gateway, and a client."""

    def __init__(self, app: GatewayApp, current: Current, executor: FakeExecutor) -> None:
        self.app = app
        self.current = current
        self.executor = executor
        self.client = aiohttp.ClientSession()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app.port}/mcp"

    def send(self, request: HttpRequest, **headers: str) -> Any:
        """Send a request value; use it as an async context manager."""
        given = {name: value for name, value in request.headers.items() if name != "host"}
        return self.client.request(
            request.method, self.url, data=request.body, headers=given | headers
        )

    async def initialize(self, capabilities: JsonObject | None = None) -> str:
        """Open a legacy session and return its id."""
        offered = capabilities or {}
        params = {"protocolVersion": "2025-11-25", "capabilities": offered, "clientInfo": {}}
        async with self.send(legacy("initialize", params)) as answer:
            return str(answer.headers["mcp-session-id"])

    async def manage(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.app.management_port}{path}"
        async with self.client.get(url) as answer:
            return answer.status, await answer.text()

    async def catalog(self, query: str = "") -> dict[str, Any]:
        status, text = await self.manage(f"/catalog{query}")
        assert status == 200
        report: dict[str, Any] = json.loads(text)
        return report

    async def metric(self, name: str, **labels: str) -> float | None:
        _, text = await self.manage("/metrics")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None


@asynccontextmanager
async def running(*, tls: Path | None = None, **settings: Any) -> AsyncIterator[Running]:
    current, executor = Current(), FakeExecutor()
    current.swap(table(tool("add"), **settings))
    address = GatewayAddress(port=0, management_port=0, tls=tls)
    app = GatewayApp(current, executor, address=address, registry=CollectorRegistry())
    await app.start()
    gateway = Running(app, current, executor)
    try:
        yield gateway
    finally:
        await gateway.client.close()
        executor.gate.set()
        await app.stop()


async def frame_of(answer: aiohttp.ClientResponse) -> Any:
    return message_of(await answer.content.readuntil(b"\n\n"))


async def read(gateway: Running, request: HttpRequest) -> Any:
    async with gateway.send(request) as answer:
        return await answer.json()
