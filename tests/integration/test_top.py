"""`mcp-operator top`, with gateways, a real API server and users with different permissions.

An API server does not connect to pods on loopback, where the pods of these tests are. A proxy in
front of it serves the subresource `pods/proxy` instead; the API server handles everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mcp.client.client import Client as McpClient

from faults.actions import Action, Exchange
from faults.proxy import FaultProxy, fault_proxy
from mcp_operator.app.inspection.settings import TopSettings
from mcp_operator.app.inspection.top.command import CLOSE, OPEN, run_top
from mcp_operator.app.inspection.top.reading import read
from mcp_operator.app.inspection.top.screen import rows, screen
from mcp_operator.builders.resources import PODS, ROLEBINDINGS, ROLES, SERVICEACCOUNTS
from mcp_operator.controllers.pod_client import http_ask
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.runtime.client import Client
from support.connected import connected
from support.controlplane import Cluster
from support.kubeconfigs import write_account_kubeconfig
from support.kubelet import Kubelet
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually, hang_guard

PROXIED = re.compile(r"/namespaces/([^/]+)/pods/([^:]+):(\d+)/proxy(/.*)")


@dataclass
class Cell:
    """A server `red` with two running pods, and the client of a user who watches it."""

    shop: Shop
    client: Client
    kubeconfig: Path

    async def call(self, *names: str) -> None:
        """Call tools at each of the pods."""
        for pod in await self.shop.pods():
            async with McpClient(f"http://{pod['status']['podIP']}:8080/mcp") as client:
                for name in names:
                    await client.call_tool(name)


def connects_to_pods(client: Client) -> Action:
    """Return an action that forwards a request for `pods/proxy` to the pod."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        found = PROXIED.search(exchange.seen.path)
        assert found
        namespace, name, port, path = found.groups()
        pod = await client.get(PODS, Key(namespace, name))
        url = f"http://{pod['status']['podIP']}:{port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return web.Response(status=response.status, body=await response.read())

    return act


async def answer(request: web.Request) -> web.Response:
    return web.json_response({}, status=500 if "fail" in request.path else 200)


@pytest.fixture
async def proxy(
    control_plane: Cluster, client: Client, tmp_path: Path
) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(tmp_path, control_plane.kubeconfig) as proxy:
        proxy.on("/proxy/metrics", connects_to_pods(client), times=math.inf)
        yield proxy


@pytest.fixture
async def cell(
    control_plane: Cluster,
    client: Client,
    kubelet: Kubelet,
    crds_installed: None,
    proxy: FaultProxy,
) -> AsyncIterator[Cell]:
    shop = Shop(client, kubelet.namespace)
    await shop.service()
    app = web.Application()
    app.router.add_post("/{tail:.*}", answer)
    async with contextlib.AsyncExitStack() as stack:
        backend = await stack.enter_async_context(TestServer(app))
        kubelet.services[f"{shop.namespace}/orders:80"] = f"127.0.0.1:{backend.port}"
        await stack.enter_async_context(
            running_operator(control_plane.kubeconfig, shop.namespace, ask=http_ask)
        )
        for tool in ("add", "fail"):
            await shop.tool(tool, "red")
        await shop.server("red", replicas=2)
        looking = await stack.enter_async_context(connected(proxy.kubeconfig, "mcp-operator-top"))
        cell = Cell(shop, looking, proxy.kubeconfig)
        await eventually(lambda: shop.synced("red"), 2)
        await shop.wait_for_reason("MCPServer", "red", "Ready", "Ready")
        yield cell


async def test_calls_of_all_pods_are_counted_by_server_and_by_tool(cell: Cell) -> None:
    before = await read(cell.client, cell.shop.namespace)
    await cell.call("add", "add", "fail")
    after = await read(cell.client, cell.shop.namespace)

    servers, tools = rows(before, after)
    figures = {row.name: row.figures for row in (*servers, *tools) if row.figures}
    assert figures["add"].calls == pytest.approx(2 * figures["fail"].calls)
    assert figures["red"].calls == pytest.approx(3 * figures["fail"].calls)
    assert figures["red"].errors == figures["fail"].errors == figures["fail"].calls
    assert figures["fail"].calls > figures["add"].errors == 0
    lines = list(screen(before, after, namespace=cell.shop.namespace, order="calls"))
    assert lines[0].startswith(f"namespace {cell.shop.namespace}: 1 server, 2 tools, ")
    (server,) = (line.split() for line in lines if line.startswith("red "))
    assert (server[:4], server[-1]) == (["red", "2/2", "2/2", "2"], "Ready")
    assert not after.notes


async def test_in_a_terminal_the_screen_is_refreshed_until_ctrl_c(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, slave = pty.openpty()
    settings = TopSettings(namespace=cell.shop.namespace, kubeconfig=cell.kubeconfig, interval=0.05)
    loop, shown, arrived = asyncio.get_running_loop(), bytearray(), asyncio.Event()

    def take() -> None:
        shown.extend(os.read(master, 65536))
        arrived.set()

    loop.add_reader(master, take)
    with os.fdopen(slave, "w", encoding="utf-8") as screen_of_mine, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen_of_mine)
        patch.setenv("COLUMNS", "200")
        async with hang_guard():
            top = asyncio.create_task(run_top(settings))
            while b"\nadd " not in shown:
                await cell.call("add")
            signal.raise_signal(signal.SIGINT)
            await top
            while not shown.endswith(CLOSE.encode()):
                arrived.clear()
                await arrived.wait()
    loop.remove_reader(master)
    os.close(master)
    assert shown.startswith(OPEN.encode())


async def test_without_a_terminal_the_tables_are_printed_once(
    cell: Cell, capsys: pytest.CaptureFixture[str]
) -> None:
    await run_top(
        TopSettings(namespace=cell.shop.namespace, kubeconfig=cell.kubeconfig, interval=0.05)
    )
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("SERVER ") for line in lines) == 1
    assert "\x1b" not in "".join(lines)


async def test_a_user_with_few_permissions_sees_which_figures_are_missing(
    cell: Cell, control_plane: Cluster, tmp_path: Path
) -> None:
    missing = {
        ("mcpservers",): "no calls and latencies, because the pods cannot be listed: ",
        (
            "mcpservers",
            "pods",
        ): "you have no permission to get pods/proxy there; request it (2 pods)",
    }
    for resources, note in missing.items():
        kubeconfig = await account(cell.shop, control_plane, tmp_path, resources)
        async with connected(kubeconfig, "mcp-operator-top") as client:
            found = await read(client, cell.shop.namespace)
        lines = list(screen(found, found, namespace=cell.shop.namespace, order="calls"))
        assert any(line.startswith("! ") and note in line for line in lines), lines
        assert any(line.split()[:4] == ["red", "2/2", "2/2", "2"] for line in lines)

        everywhere = TopSettings(all_namespaces=True, once=True, kubeconfig=kubeconfig)
        with pytest.raises(
            OperatorError, match="use --namespace with a namespace that you can read"
        ):
            await run_top(everywhere)


async def account(
    shop: Shop, control_plane: Cluster, directory: Path, resources: Sequence[str]
) -> Path:
    """Return the kubeconfig of a user who can list some resources of the namespace."""
    name = "-".join(("lists", *resources))
    metadata = {"name": name, "namespace": shop.namespace}
    groups = ["", "mcp-operator.dev"]
    rule = {"apiGroups": groups, "resources": resources, "verbs": ["list", "get"]}
    rbac = "rbac.authorization.k8s.io"
    await shop.client.create(SERVICEACCOUNTS, {"metadata": metadata})
    await shop.client.create(ROLES, {"metadata": metadata, "rules": [rule]})
    await shop.client.create(
        ROLEBINDINGS,
        {
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    )
    path = directory / f"{name}.kubeconfig"
    await write_account_kubeconfig(
        path, shop.client, control_plane.kubeconfig, shop.namespace, name
    )
    return path
