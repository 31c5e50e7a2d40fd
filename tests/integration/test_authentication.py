"""Authentication from `spec.auth` to the client, with an operator, gateways and Secrets."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.controllers.pod_client import http_ask
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.identity import ISSUER, provider_keys, token
from support.kubelet import Kubelet
from support.mcp_http import modern
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually

CANARY, OTHER = "canary-4f1d9c-alice-key", "canary-7b2e0a-bobs-key"


@dataclass
class Cell:
    """A namespace whose pods run as processes."""

    shop: Shop
    keys: list[Any]
    logs: Callable[[], str]

    async def url(self) -> str:
        (pod,) = await self.shop.pods()
        return f"http://{pod['status']['podIP']}:8080"

    async def status(self, **headers: Any) -> int:
        """Return the HTTP status for a client that lists tools."""
        request = modern("tools/list", **headers)
        sent = {name: value for name, value in request.headers.items() if name != "host"}
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{await self.url()}/mcp", data=request.body, headers=sent) as answer,
        ):
            return answer.status

    async def tools(self, key: str) -> list[str]:
        """Return the tools that a client with a key can list."""
        request = modern("tools/list")
        sent = {name: value for name, value in request.headers.items() if name != "host"}
        async with (
            aiohttp.ClientSession(headers=sent | {"x-api-key": key}) as client,
            client.post(f"{await self.url()}/mcp", data=request.body) as answer,
        ):
            return [tool["name"] for tool in (await answer.json())["result"]["tools"]]

    async def programmed(self) -> str:
        return (await self.shop.condition("MCPServer", "red", "Programmed"))[0]

    async def resolved(self) -> str:
        return (await self.shop.condition("MCPServer", "red", "ResolvedRefs"))[1]


@pytest.fixture
async def cell(
    client: Client,
    namespace: str,
    control_plane: Cluster,
    crds_installed: None,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[Cell]:
    shop = Shop(client, namespace)
    await shop.service()
    await shop.service("login", 8080)
    keys: list[Any] = provider_keys()

    async def certs(_: web.Request) -> web.Response:
        return web.json_response({"keys": keys})

    app = web.Application()
    app.router.add_get("/certs", certs)
    async with contextlib.AsyncExitStack() as stack:
        provider = await stack.enter_async_context(TestServer(app))
        services = {f"{namespace}/login:8080": f"127.0.0.1:{provider.port}"}
        kubelet = await stack.enter_async_context(
            Kubelet(client, control_plane.kubeconfig, namespace, services)
        )
        await stack.enter_async_context(
            running_operator(control_plane.kubeconfig, namespace, ask=http_ask)
        )
        yield Cell(shop, keys, lambda: caplog.text + pod_logs(kubelet))


def pod_logs(kubelet: Kubelet) -> str:
    folder = kubelet._processes.directory
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


async def test_a_server_with_api_keys_refuses_clients_until_the_secret_exists(
    cell: Cell,
) -> None:
    auth = {
        "type": "APIKey",
        "apiKey": {"header": "X-API-Key", "secretRef": {"name": "clients"}},
    }
    await cell.shop.server("red", auth=auth, config={"logLevel": "debug"})
    await eventually(cell.programmed, "True")
    await eventually(cell.resolved, "SecretNotFound")
    assert await cell.status(x_api_key=CANARY) == 503

    await cell.shop.create("Secret", "clients", stringData={"alice": CANARY})
    await eventually(lambda: cell.status(x_api_key=CANARY), 200)
    await eventually(cell.resolved, "ResolvedRefs")
    assert await cell.status() == 401
    assert await cell.status(x_api_key=OTHER) == 401
    assert await cell.status(authorization=f"Bearer {CANARY}") == 401

    await cell.shop.patch("Secret", "clients", stringData={"bob": OTHER})
    await eventually(lambda: cell.status(x_api_key=OTHER), 200)
    await assert_not_disclosed(cell, CANARY, OTHER)


async def test_a_server_verifies_tokens_with_the_keys_of_a_service(cell: Cell) -> None:
    jwt = {
        "issuer": ISSUER,
        "audiences": ["https://mcp.example.com/shop"],
        "jwksURI": f"http://login.{cell.shop.namespace}.svc:8080/certs",
        "requiredScopes": ["mcp:use"],
    }
    await cell.shop.server("red", auth={"type": "JWT", "jwt": jwt}, config={"logLevel": "debug"})
    await eventually(cell.programmed, "True")
    now = int(datetime.now(UTC).timestamp())
    good = token(iat=now, exp=now + 600)

    assert await cell.status(authorization=f"Bearer {good}") == 200
    assert await cell.status() == 401
    assert await cell.status(authorization=f"Bearer {token()}") == 401, "the token has expired"
    weak = token(iat=now, exp=now + 600, scope="other")
    assert await cell.status(authorization=f"Bearer {weak}") == 403
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{await cell.url()}/.well-known/oauth-protected-resource/mcp") as answer,
    ):
        assert (await answer.json())["authorization_servers"] == [ISSUER]
    await assert_not_disclosed(cell, good, good.split(".")[2], weak.split(".")[2])


async def test_each_client_is_served_the_tools_that_the_current_rules_allow(
    cell: Cell,
) -> None:
    await cell.shop.create("Secret", "clients", stringData={"alice": CANARY, "bob": OTHER})
    for name in ("get-order", "delete-order"):
        await cell.shop.tool(name, "red")
    readers = {"name": "readers", "principals": ["*"], "tools": ["get-*"]}
    alice = {"name": "alice", "principals": ["alice"], "tools": ["delete-*"]}
    key = {"header": "X-API-Key", "secretRef": {"name": "clients"}}
    auth = {"type": "APIKey", "apiKey": key, "rules": [readers, alice]}
    await cell.shop.server("red", auth=auth, audit="All")
    await eventually(cell.programmed, "True")
    pod = await cell.url()

    assert await cell.tools(CANARY) == ["delete-order", "get-order"]
    assert await cell.tools(OTHER) == ["get-order"]
    await cell.shop.patch("MCPServer", "red", spec={"auth": {"rules": [readers]}})
    await eventually(lambda: cell.tools(CANARY), ["get-order"])
    assert await cell.url() == pod, "the pod was replaced"
    logs = cell.logs()
    assert CANARY not in logs


async def assert_not_disclosed(cell: Cell, *secrets: str) -> None:
    """Check that secrets are in no object, log, metric or catalog."""
    server = await cell.shop.get("MCPServer", "red")
    pages = cell.shop.client.list_pages(CONFIGMAPS, namespace=cell.shop.namespace)
    config_maps = [config_map async for page in pages for config_map in page.items]
    catalog = await cell.shop.catalog("red")
    assert catalog is not None
    management = (await cell.url()).replace(":8080", ":8081")
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{management}/metrics") as metrics,
        client.get(f"{management}/catalog") as report,
    ):
        open_pages = await metrics.text() + await report.text()
    assert "mcp_authentications_total" in open_pages
    logs = cell.logs()
    assert "The gateway is listening" in logs
    everything = (
        json.dumps([server, config_maps]) + catalog.canonical().decode() + open_pages + logs
    )
    assert [secret for secret in secrets if secret in everything] == []
