"""Without the CustomResourceDefinitions the operator says so, waits, and goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from support.controlplane import ControlPlane
from support.crds import install_crds
from support.operator_process import OperatorProcess
from support.provision import UnavailableError, find_binaries
from support.waiting import eventually


@pytest.fixture
async def empty(metrics: RuntimeMetrics) -> AsyncIterator[tuple[ControlPlane, Client]]:
    """A control plane of the test's own, on which nothing has been installed."""
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


async def test_crds_that_are_installed_late_are_reported_and_waited_for(
    empty: tuple[ControlPlane, Client],
) -> None:
    cluster, client = empty
    operator = OperatorProcess(cluster.kubeconfig, "default")
    try:

        async def told() -> int:
            sentence = "does not serve mcpservers.mcp-operator.dev: install its CustomResource"
            return operator.log().count(sentence)

        await eventually(told, 1)
        assert not await operator.is_ready()
        await install_crds(client)
        await operator.ready()
        assert await told() == 1
    finally:
        await asyncio.to_thread(operator.stop)
