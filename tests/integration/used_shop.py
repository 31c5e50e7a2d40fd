"""A shop whose clients use every feature that its metrics measure, and its scrapes."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from cluster_environment import SERVER
from drill_environment import TOOL, DrillEnvironment
from environment import Processes
from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import PODS, SECRETS
from mcp_operator.core.meta import Key, Object
from support.controlplane import ControlPlane
from support.installations import built
from support.mcp_http import META, modern
from support.scrapes import Point, Scrape, scraped
from support.targets import honors_labels, target_labels
from support.waiting import eventually

KEY = "canary-3b8e21-of-the-dashboards"

CLIENTS = "shop-clients"
"""The Secret with their keys."""

CACHED, LIMITED, SLOW, TASK = "cached-stock", "limited-stock", "slow-stock", "task-stock"
"""Tools of the second backend, besides `TOOL`."""

UNREADY = "unready"
"""A server that is never Ready, because the Service of its Redis does not exist."""

TAKES_TASKS: JsonObject = {
    **META,
    "io.modelcontextprotocol/clientCapabilities": {
        "extensions": {"io.modelcontextprotocol/tasks": {}}
    },
}


class UsedShop(DrillEnvironment):
    """A DrillEnvironment whose server has authentication, limits, a cache and tasks."""

    own_namespace = "used-shop"

    async def apply_samples(self) -> list[str]:
        """Apply the objects of the drills, and those that the clients use."""
        applied = await super().apply_samples()
        server = await self.client.get(MCPSERVERS, Key(self.namespace, SERVER))
        auth = {"type": "APIKey", "apiKey": {"secretRef": {"name": CLIENTS}}}
        key = {"alice": base64.b64encode(KEY.encode()).decode()}
        for resource, obj in (
            (SECRETS, self._object(SECRETS, CLIENTS, {"data": key})),
            (
                MCPSERVERS,
                self._object(MCPSERVERS, SERVER, {"spec": server["spec"] | {"auth": auth}}),
            ),
            (MCPTOOLS, self.tool(CACHED, cache={"ttl": "1h"})),
            (MCPTOOLS, self.tool(LIMITED, rateLimit={"requests": 1, "per": "Hour"})),
            (MCPTOOLS, self.tool(SLOW, timeout="10m")),
            (MCPTOOLS, self.tool(TASK, task={"mode": "Always"})),
        ):
            await self.client.apply(resource, obj)
        return applied

    async def _apply_unready(self) -> None:
        """Apply the server that is never Ready, and wait for its condition."""
        spec = {"toolSelector": {"matchLabels": {"app": "nothing"}}, "redis": {"serviceName": "no"}}
        await self.client.apply(MCPSERVERS, self._object(MCPSERVERS, UNREADY, {"spec": spec}))
        await self.until_condition(MCPSERVERS, UNREADY, "Ready", "False")

    async def points(self, wanted: Container[str]) -> Scrape:
        """Scrape the wanted metrics of both, with the labels that the monitors add."""
        operator, gateway = await self.pages()
        now = time.time()
        objects = {
            (obj["kind"], obj["metadata"]["name"]): obj for obj in built("components/prometheus")
        }
        found: dict[str, Point] = {}
        for text, monitor, pod, service in (
            (
                operator,
                objects["ServiceMonitor", "mcp-operator"],
                _pod_of(objects["Deployment", "mcp-operator"]),
                objects["Service", "mcp-operator"],
            ),
            (gateway, objects["PodMonitor", "mcp-gateways"], await self.pod(), None),
        ):
            assert text is not None
            found |= scraped(
                text,
                now,
                wanted=wanted,
                honor_labels=honors_labels(monitor),
                **target_labels(monitor, pod, service),
            )
        return found

    async def pod(self) -> Object:
        """Return the pod of the gateway."""
        selector = f"mcp-operator.dev/server={SERVER}"
        (pod,) = [
            pod
            async for page in self.client.list_pages(
                PODS, namespace=self.namespace, label_selector=selector
            )
            for pod in page.items
        ]
        return pod

    @asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        """Use every feature of the server. During the block, a call waits and a stream is open."""
        begun = await self._counts()
        await self._apply_unready()
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as http,
            aiohttp.ClientSession(self.url.removesuffix("/mcp")) as session,
            Client(streamable_http_client(self.url, http_client=http), mode="legacy") as client,
        ):
            await client.call_tool("search-products", {})
            await self._call_all(session)
            self.backend.silent = True
            waiting = asyncio.create_task(_posted(session, "tools/call", name=SLOW))
            await eventually(lambda: self._shows_all(begun), expected=True)
            yield
            self.backend.silent = False
            await waiting

    async def _call_all(self, session: aiohttp.ClientSession) -> None:
        """Call tools that succeed, fail and are refused, as other clients do."""
        await _posted(session, "tools/list")
        await _posted(session, "tools/list", key="wrong")
        await _posted(session, "tools/call", name="search-products", arguments={"maxPrice": "low"})
        for name in (TOOL, CACHED, CACHED, LIMITED, LIMITED):
            await _posted(session, "tools/call", name=name)
        for status in (404, 500):
            self.backend.status = status
            await _posted(session, "tools/call", name=TOOL)
        self.backend.status = 200
        task = await _posted(session, "tools/call", name=TASK, _meta=TAKES_TASKS)

        async def state() -> str:
            named = {"taskId": task["result"]["taskId"], "_meta": TAKES_TASKS}
            return str((await _posted(session, "tasks/get", **named))["result"]["status"])

        await eventually(state, "completed")

    async def _counts(self) -> list[float]:
        """Return counts that grow without a client."""
        operator, gateway = await self.pages()
        reconciled = 'mcp_operator_reconciliation_total{kind="MCPServer",result="success"}'
        return [value(operator, reconciled), value(gateway, "mcp_event_loop_lag_seconds_count")]

    async def _shows_all(self, begun: list[float]) -> bool:
        """Return whether the metrics show the call and the stream, and whether the counts grew."""
        _, gateway = await self.pages()
        open_ = [value(gateway, f"mcp_{name}") for name in ("requests_in_flight", "open_streams")]
        grown = [now > before for now, before in zip(await self._counts(), begun, strict=True)]
        return open_ == [1, 1] and all(grown)


@asynccontextmanager
async def used_shop(cluster: ControlPlane) -> AsyncIterator[UsedShop]:
    """Start everything, until the server is Ready."""
    async with Processes() as processes, UsedShop(cluster, processes) as shop:
        await shop.start_operator()
        await shop.apply_samples()
        await shop.start_gateway()
        yield shop


def value(page: str | None, series: str) -> float:
    """Return the value of a series on a page of metrics."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", page or "", re.MULTILINE)
    assert found, f"there is no {series}"
    return float(found[1])


async def _posted(
    session: aiohttp.ClientSession, method: str, *, key: str = KEY, **params: Any
) -> JsonObject:
    """Send a request of revision 2026-07-28, and return the answer."""
    request = modern(method, params, authorization=f"Bearer {key}")
    sent = {name: value for name, value in request.headers.items() if name != "host"}
    async with session.post("/mcp", data=request.body, headers=sent) as answer:
        found: JsonObject = await answer.json()
        return found


def _pod_of(deployment: Object) -> Object:
    """Return a pod as the controller of a Deployment creates it."""
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    own = {"name": f"{metadata['name']}-0", "namespace": metadata["namespace"]}
    return {
        "metadata": template["metadata"] | own,
        "spec": template["spec"],
        "status": {"podIP": "127.0.0.1"},
    }
