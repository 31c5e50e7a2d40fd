"""Without the CustomResourceDefinitions the operator reports it, and waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_operator.api.v1alpha1 import MCPTOOLS
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from support.connected import own_namespace
from support.controlplane import ControlPlane
from support.crds import DEFINITIONS, install_crds
from support.operator_process import OperatorProcess
from support.operators import running_operator
from support.provision import UnavailableError, find_binaries
from support.script import SERVER, Script
from support.waiting import eventually


@pytest.fixture
async def empty(metrics: RuntimeMetrics) -> AsyncIterator[tuple[ControlPlane, Client]]:
    """A separate control plane, on which nothing is installed."""
    try:
        cluster = ControlPlane(find_binaries(print))
    except UnavailableError as error:
        pytest.skip(str(error))
    await asyncio.to_thread(cluster.start)
    try:
        client = await Client.connect(
            kubeconfig=cluster.kubeconfig,
            field_manager="mcp-operator-tests",
            user_agent="mcp-operator-tests",
            metrics=metrics,
        )
        yield cluster, client
        await client.close()
    finally:
        await asyncio.to_thread(cluster.stop)


async def test_the_operator_reports_missing_crds_once_and_becomes_ready_after_their_installation(
    empty: tuple[ControlPlane, Client],
) -> None:
    cluster, client = empty
    operator = OperatorProcess(cluster.kubeconfig, "default")
    try:

        async def reported() -> int:
            sentence = "does not serve mcpservers.mcp-operator.dev: install its CustomResource"
            return operator.log().count(sentence)

        await eventually(reported, 1)
        assert not await operator.is_ready()
        await install_crds(client)
        await operator.ready()
        assert await reported() == 1
    finally:
        await asyncio.to_thread(operator.stop)


async def test_a_crd_that_is_deleted_at_run_time_is_reported_until_it_is_reinstalled(
    empty: tuple[ControlPlane, Client], tmp_path: Path
) -> None:
    cluster, client = empty
    await install_crds(client)
    async with own_namespace(client) as shop, running_operator(cluster.kubeconfig, shop.namespace):
        await shop.service()
        await shop.server(SERVER)
        await shop.tool("search", SERVER)
        await shop.wait_for_reason("MCPServer", SERVER, "Degraded", "Healthy")
        await client.delete(DEFINITIONS, Key("", f"{MCPTOOLS.plural}.{MCPTOOLS.group}"))
        message = await shop.wait_for_reason("MCPServer", SERVER, "Degraded", "KindMissing")
        assert "does not serve MCPTool: reinstall the CustomResourceDefinitions" in message
        await shop.wait_for_reason("MCPServer", SERVER, "Ready", "NothingServed")
        script = Script(cluster.kubeconfig, shop.namespace, tmp_path)
        assert await script.wait_times_out()
        assert (await script.conditions())["Ready"] == "False NothingServed"
        await install_crds(client)
        await shop.wait_for_reason("MCPServer", SERVER, "Degraded", "Healthy")
