"""The condition Ready of a server says whether it serves its tools, and why not."""

from __future__ import annotations

import functools

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operators import Operator, running_operator
from support.ready_pods import confirms, ready_pods
from support.shop import Shop
from support.waiting import eventually

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange")


async def test_a_server_is_not_ready_while_the_service_of_all_its_tools_is_missing(
    client: Client, control_plane: Cluster, shop: Shop
) -> None:
    kubeconfig, namespace = control_plane.kubeconfig, shop.namespace
    async with (
        ready_pods(client, namespace),
        running_operator(kubeconfig, namespace, ask=confirms) as operator,
    ):
        await shop.server("red")
        await shop.tool("search", "red")
        await shop.wait_for_reason("MCPServer", "red", "Ready", Reason.READY)
        await shop.wait_for_reason("MCPTool", "search", "Ready", Reason.READY)
        await operator.settled(client)
        assert await shop.warnings() == []  # becoming ready causes no warning
        await shop.delete("Service", "orders")
        message = await shop.wait_for_reason("MCPServer", "red", "Ready", Reason.NOTHING_SERVED)
        assert message.endswith("MCPTool search (ServiceNotFound)")
        await shop.wait_for_reason("MCPServer", "red", "Degraded", Reason.OBJECTS_REJECTED)
        await shop.wait_for_reason("MCPTool", "search", "Ready", Reason.SERVICE_NOT_FOUND)
        await operator.settled(client)
        warned = await shop.warnings()
        await shop.service()
        await shop.wait_for_reason("MCPServer", "red", "Ready", Reason.READY)
        await shop.wait_for_reason("MCPTool", "search", "Ready", Reason.READY)
        await operator.settled(client)
        assert await shop.warnings() == warned
        assert {"Ready", "Healthy"} <= await shop.events("red")


async def test_that_nothing_is_served_is_reported_before_the_missing_pods(
    shop: Shop, operator: Operator
) -> None:
    await shop.server("red")
    await shop.tool("broken", "red", service={"name": "nowhere", "port": 80})
    await shop.wait_for_reason("MCPServer", "red", "Ready", Reason.NOTHING_SERVED)
    await shop.tool("good", "red")
    await shop.wait_for_reason("MCPServer", "red", "Ready", Reason.NO_READY_PODS)


@pytest.mark.parametrize(
    ("resource", "spec", "words"),
    [
        (
            QUOTAS,
            {"hard": {"limits.cpu": "2", "limits.memory": "2Gi"}},
            "failed quota: rule: must specify limits.cpu for: gateway",
        ),
        (
            LIMIT_RANGES,
            {"limits": [{"type": "Container", "max": {"memory": "16Mi"}}]},
            "maximum memory usage per Container is 16Mi, but limit is",
        ),
    ],
    ids=["quota", "limit range"],
)
async def test_a_rule_of_the_namespace_that_refuses_pods_is_reported(
    shop: Shop, operator: Operator, resource: Resource, spec: Object, words: str
) -> None:
    rule: Object = {"metadata": {"name": "rule", "namespace": shop.namespace}, "spec": spec}
    await shop.client.create(resource, rule)
    await shop.server("red")
    await eventually(functools.partial(explained, shop, "Ready", words), expected=True)
    await eventually(functools.partial(explained, shop, "Degraded", words), expected=True)
    await operator.settled(shop.client)


async def explained(shop: Shop, type_: str, words: str) -> bool:
    _, _, message = await shop.condition("MCPServer", "red", type_)
    return words in message
