"""From a changed object to an MCP client, with an operator, gateways and the official SDK."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import mcp_types as types
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from mcp.client.client import Client as McpClient
from mcp.client.subscriptions import ToolsListChanged

from mcp_operator.builders.resources import PODS, SECRETS
from mcp_operator.controllers import mcpserver
from mcp_operator.controllers.pod_client import http_ask
from mcp_operator.core.meta import key_of
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.kubelet import Kubelet
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import HANG_SECONDS, eventually, hang_guard


@dataclass
class Cell:
    """A namespace whose pods run as processes."""

    shop: Shop
    operator: Operator
    kubelet: Kubelet

    async def endpoints(self) -> list[str]:
        """Return the URL of every ready pod."""
        return [
            f"http://{pod['status']['podIP']}:8080/mcp"
            for pod in await self.shop.pods()
            if any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in pod["status"].get("conditions", [])
            )
        ]

    async def programmed(self) -> str:
        return (await self.shop.condition("MCPServer", "red", "Programmed"))[0]


async def echo(request: web.Request) -> web.Response:
    text = await request.text()
    return web.json_response({"path": request.path, "body": json.loads(text) if text else None})


@pytest.fixture
async def cell(
    client: Client, namespace: str, control_plane: Cluster, crds_installed: None
) -> AsyncIterator[Cell]:
    shop = Shop(client, namespace)
    await shop.service()
    app = web.Application()
    app.router.add_post("/{tail:.*}", echo)
    async with contextlib.AsyncExitStack() as stack:
        backend = await stack.enter_async_context(TestServer(app))
        services = {f"{namespace}/orders:80": f"127.0.0.1:{backend.port}"}
        kubelet = await stack.enter_async_context(
            Kubelet(client, control_plane.kubeconfig, namespace, services)
        )
        operator = await stack.enter_async_context(
            running_operator(control_plane.kubeconfig, namespace, ask=http_ask)
        )
        yield Cell(shop, operator, kubelet)


async def served_tools(url: str) -> list[str]:
    async with McpClient(url) as client:
        return [tool.name for tool in (await client.list_tools()).tools]


async def test_a_server_that_reports_ready_answers_calls_at_every_pod(
    cell: Cell,
) -> None:
    await cell.shop.server("red", replicas=2)
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    await cell.shop.tool("add", "red", inputSchema=schema)
    await eventually(lambda: cell.shop.synced("red"), 2)
    await eventually(cell.programmed, "True")
    await cell.shop.wait_for_reason("MCPServer", "red", "Ready", "Ready")
    await cell.shop.wait_for_reason("MCPTool", "add", "Ready", "Ready")
    urls = await cell.endpoints()
    assert len(urls) == 2
    for url in urls:
        async with McpClient(url) as client:
            result = await client.call_tool("add", {"x": 1})
            assert result.structured_content == {"path": "/add", "body": {"x": 1}}


async def test_a_connected_client_is_notified_of_an_edit_and_a_deletion(
    cell: Cell,
) -> None:
    await cell.shop.server("red")
    for name in ("kept", "doomed"):
        await cell.shop.tool(name, "red")
    await eventually(cell.programmed, "True")
    await cell.operator.settled(cell.shop.client)
    cell.operator.forget_requests()
    [url] = await cell.endpoints()
    async with McpClient(url) as client, client.listen(tools_list_changed=True) as changes:
        await cell.shop.patch("MCPTool", "kept", spec={"description": "second"})
        async with hang_guard():
            event = await anext(aiter(changes))
        assert isinstance(event, ToolsListChanged)
        described = {tool.name: tool.description for tool in (await client.list_tools()).tools}
        assert described == {"kept": "second", "doomed": "first"}
        await cell.shop.delete("MCPTool", "doomed")
        async with hang_guard():
            await anext(aiter(changes))
        assert [tool.name for tool in (await client.list_tools()).tools] == ["kept"]
        with pytest.raises(Exception, match="Unknown tool"):
            await client.call_tool("doomed", {})


async def test_a_change_that_all_pods_confirm_takes_three_writes(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pods that confirm later than this take an extra status write; a slow machine must not matter.
    monkeypatch.setattr(mcpserver, "CONFIRM_GRACE_SECONDS", HANG_SECONDS)
    await cell.shop.server("red", replicas=2)
    for name in ("edited", "other"):
        await cell.shop.tool(name, "red")
    await eventually(lambda: cell.shop.synced("red"), 2)
    await eventually(cell.programmed, "True")
    await cell.operator.settled(cell.shop.client)
    cell.operator.forget_requests()
    hash_before = (await cell.shop.get("MCPServer", "red"))["status"]["configHash"]
    await cell.shop.patch("MCPTool", "edited", spec={"description": "second"})

    async def has_new_hash() -> bool:
        status = (await cell.shop.get("MCPServer", "red"))["status"]
        return bool(status["configHash"] != hash_before)

    await eventually(has_new_hash, expected=True)
    await cell.operator.settled(cell.shop.client)
    assert sorted(cell.operator.writes) == [
        "PATCH configmaps/mcp-server-red-config",
        "PATCH mcpservers/red/status",
        "PATCH mcptools/edited/status",
    ]


async def test_each_of_twenty_deletions_in_a_row_is_removed_from_the_list_of_tools(
    cell: Cell,
) -> None:
    await cell.shop.server("red")
    names = [f"tool-{number:02}" for number in range(20)]
    for name in names:
        await cell.shop.tool(name, "red")
    await eventually(cell.programmed, "True")
    [url] = await cell.endpoints()
    await eventually(functools.partial(served_tools, url), names)
    while names:
        await cell.shop.delete("MCPTool", names.pop())
        await eventually(functools.partial(served_tools, url), names)


async def test_a_gateway_keeps_serving_when_the_operator_has_stopped(cell: Cell) -> None:
    await cell.shop.server("red")
    await cell.shop.tool("kept", "red")
    await eventually(cell.programmed, "True")
    [url] = await cell.endpoints()
    await cell.operator.stop()
    async with McpClient(url) as client:
        result = await client.call_tool("kept", {})
    assert isinstance(result.content[0], types.TextContent)
    assert not result.is_error


async def initialize_or_list(url: str, session: str = "") -> tuple[int, str]:
    """List tools in a session of 2025-11-25, or initialize; return the status and the session."""
    method = "tools/list" if session else "initialize"
    client = {"name": "test", "version": "1"}
    params = {} if session else {"protocolVersion": "2025-11-25", "clientInfo": client}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"capabilities": {}} | params}
    headers = {"accept": "application/json, text/event-stream"}
    headers |= {"mcp-session-id": session} if session else {}
    async with ClientSession() as http, http.post(url, json=message, headers=headers) as answer:
        return answer.status, answer.headers.get("mcp-session-id", "")


async def test_pods_accept_each_others_sessions_until_their_key_is_replaced(cell: Cell) -> None:
    keys = cell.shop.key("mcp-server-red-keys")
    await cell.shop.server("red", replicas=2)
    await eventually(lambda: cell.shop.synced("red"), 2)
    one, two = await cell.endpoints()
    _, session = await initialize_or_list(one)
    assert [(await initialize_or_list(url, session))[0] for url in (one, two)] == [200, 200]
    before = await cell.shop.client.get(SECRETS, keys)
    await cell.shop.client.delete(SECRETS, keys)
    for pod in await cell.shop.pods():
        await cell.shop.client.delete(PODS, key_of(pod))

    async def is_replaced() -> bool:
        live = await cell.shop.find(SECRETS, keys.name)
        return live is not None and live["data"] != before["data"]

    async def answers() -> list[int]:
        return [(await initialize_or_list(url, session))[0] for url in await cell.endpoints()]

    await eventually(is_replaced, expected=True)
    await eventually(answers, [404, 404])
    _, fresh = await initialize_or_list((await cell.endpoints())[0])
    assert [(await initialize_or_list(url, fresh))[0] for url in await cell.endpoints()] == [
        200,
        200,
    ]
