"""When `kubectl wait` succeeds in a script, and which reason the script can print if not."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.controllers.confirmations import Answer, Pod
from mcp_operator.core.meta import Object, Resource, generation_of
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operators import Operator, running_operator
from support.ready_pods import confirms, ready_pods
from support.script import SERVER, Script
from support.shop import Shop
from support.waiting import eventually

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")

NOWHERE: Object = {"name": "nowhere", "port": 80}
"""A Service that does not exist."""

Stage = Callable[[Shop], Awaitable[object]]


@pytest.fixture
def script(control_plane: Cluster, shop: Shop, tmp_path: Path) -> Script:
    return Script(control_plane.kubeconfig, shop.namespace, tmp_path / "kubectl")


@pytest.fixture
async def pods(client: Client, shop: Shop) -> AsyncIterator[None]:
    """Pods become ready as soon as they exist."""
    async with ready_pods(client, shop.namespace):
        yield


@pytest.fixture
async def serving(control_plane: Cluster, shop: Shop, pods: None) -> AsyncIterator[Operator]:
    """An operator whose gateways confirm every catalog."""
    async with running_operator(control_plane.kubeconfig, shop.namespace, ask=confirms) as running:
        yield running


async def all_its_tools_are_served(shop: Shop) -> None:
    await shop.tool("search", SERVER)
    await shop.tool("order", SERVER)
    await shop.server(SERVER)


async def it_selects_nothing(shop: Shop) -> None:
    await shop.server(SERVER)


async def all_its_tools_have_been_deleted(shop: Shop) -> None:
    await all_its_tools_are_served(shop)
    await shop.wait_for_reason("MCPServer", SERVER, "Ready", Reason.READY)
    for tool in ("search", "order"):
        await shop.delete("MCPTool", tool)
    await eventually(functools.partial(shop.served, SERVER), {})


async def its_only_tool_is_disabled(shop: Shop) -> None:
    await shop.tool("search", SERVER, enabled=False)
    await shop.server(SERVER)


async def one_of_its_tools_is_rejected(shop: Shop) -> None:
    await shop.tool("search", SERVER)
    await shop.tool("broken", SERVER, service=NOWHERE)
    await shop.server(SERVER)


async def it_has_zero_replicas(shop: Shop) -> None:
    await shop.tool("search", SERVER)
    await shop.server(SERVER, replicas=0)


async def its_own_image_reports_nothing(shop: Shop) -> None:
    await shop.tool("search", SERVER)
    await shop.server(SERVER, mode="Direct", image="example.com/mcp:1")


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    ("stage", "ready", "degraded"),
    [
        (all_its_tools_are_served, "Ready", "False Healthy"),
        (it_selects_nothing, "Ready", "False Healthy"),
        (all_its_tools_have_been_deleted, "Ready", "False Healthy"),
        (its_only_tool_is_disabled, "Ready", "False Healthy"),
        (one_of_its_tools_is_rejected, "Ready", "True ObjectsRejected"),
        (it_has_zero_replicas, "ScaledToZero", "False Healthy"),
        (its_own_image_reports_nothing, "NotReported", "False Healthy"),
    ],
)
async def test_kubectl_wait_succeeds_when(
    shop: Shop, script: Script, stage: Stage, ready: str, degraded: str
) -> None:
    await stage(shop)
    assert await script.wait_succeeds()
    await shop.wait_for_reason("MCPServer", SERVER, "Degraded", degraded.split()[1])
    said = await script.conditions()
    assert (said["Ready"], said["Degraded"]) == (f"True {ready}", degraded)


async def all_its_tools_are_rejected(shop: Shop) -> None:
    for tool in ("search", "order"):
        await shop.tool(tool, SERVER, service=NOWHERE)
    await shop.server(SERVER)


async def the_service_of_its_tools_is_deleted(shop: Shop) -> None:
    await all_its_tools_are_served(shop)
    await shop.wait_for_reason("MCPServer", SERVER, "Ready", Reason.READY)
    await shop.delete("Service", "orders")


async def a_quota_refuses_its_pods(shop: Shop) -> None:
    hard = {"limits.cpu": "2", "limits.memory": "2Gi"}
    quota: Object = {"metadata": {"name": "q", "namespace": shop.namespace}, "spec": {"hard": hard}}
    await shop.client.create(QUOTAS, quota)
    await all_its_tools_are_served(shop)


async def the_secret_of_its_keys_is_missing(shop: Shop) -> None:
    await shop.tool("search", SERVER)
    reference = {"name": "keys", "key": "keys"}
    await shop.server(SERVER, auth={"type": "APIKey", "apiKey": {"secretRef": reference}})


async def a_foreign_object_has_the_name_of_its_service(shop: Shop) -> None:
    await shop.service(f"mcp-server-{SERVER}")
    await all_its_tools_are_served(shop)


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    ("stage", "ready", "degraded"),
    [
        (all_its_tools_are_rejected, "NothingServed", "True ObjectsRejected"),
        (the_service_of_its_tools_is_deleted, "NothingServed", "True ObjectsRejected"),
        (a_quota_refuses_its_pods, "NoReadyPods", "True PodsFailing"),
        (the_secret_of_its_keys_is_missing, "SecretNotFound", "False Healthy"),
        (a_foreign_object_has_the_name_of_its_service, "Conflict", "False Healthy"),
    ],
)
async def test_kubectl_wait_times_out_with_a_reason_when(
    shop: Shop, script: Script, stage: Stage, ready: str, degraded: str
) -> None:
    await stage(shop)
    await times_out_with(shop, script, ready, degraded)


async def test_kubectl_wait_times_out_while_no_pod_becomes_ready(
    shop: Shop, operator: Operator, script: Script
) -> None:
    await all_its_tools_are_served(shop)
    await times_out_with(shop, script, "NoReadyPods", "False Healthy")


async def times_out_with(shop: Shop, script: Script, ready: str, degraded: str) -> None:
    """Wait for the conditions, and check that `kubectl wait` times out and shows them."""
    await shop.wait_for_reason("MCPServer", SERVER, "Ready", ready)
    await shop.wait_for_reason("MCPServer", SERVER, "Degraded", degraded.split()[1])
    assert await script.wait_times_out()
    said = await script.conditions()
    assert (said["Ready"], said["Degraded"]) == (f"False {ready}", degraded)


async def test_kubectl_wait_waits_until_the_pods_confirm_a_changed_spec(
    control_plane: Cluster, shop: Shop, script: Script, pods: None
) -> None:
    may_confirm = asyncio.Event()
    may_confirm.set()

    async def confirms_if_it_may(_: Pod, digest: str) -> Answer:
        await may_confirm.wait()
        return Answer(digest)

    run = functools.partial(running_operator, control_plane.kubeconfig, shop.namespace)
    async with run(ask=confirms_if_it_may):
        await all_its_tools_are_served(shop)
        assert await script.wait_succeeds()

    change = {"config": {"instructions": "Orders are in euros."}}
    changed = await shop.patch("MCPServer", SERVER, spec=change)
    assert (await script.conditions())["Ready"] == "True Ready"  # for the previous generation
    assert await script.wait_times_out()

    may_confirm.clear()
    async with run(ask=confirms_if_it_may):
        await times_out_with(shop, script, "Propagating", "False Healthy")
        waiting = asyncio.create_task(script.wait_succeeds())
        may_confirm.set()
        assert await waiting
        status = (await shop.get("MCPServer", SERVER))["status"]
        observed = {each["type"]: each["observedGeneration"] for each in status["conditions"]}
        assert observed["Ready"] == status["observedGeneration"] == generation_of(changed)
