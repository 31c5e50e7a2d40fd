"""Replicas, autoscalers, disruption budgets and network policies of a server."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.resources import (
    AUTOSCALERS,
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    NETWORKPOLICIES,
)
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.errors import ApiError
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

NAME = "mcp-server-red"


@pytest.fixture
async def red(shop: Shop, operator: Operator) -> Shop:
    """A server `red` with three replicas and one tool, settled."""
    await shop.server("red", replicas=3)
    await shop.tool("search", "red")
    await eventually(functools.partial(shop.served, "red"), {"search": "first"})
    await eventually(functools.partial(shop.replicas, "red"), 3)
    await operator.settled(shop.client)
    return shop


async def exists(shop: Shop, resource: Resource) -> bool:
    return await shop.find(resource, NAME) is not None


async def spec_of(shop: Shop, resource: Resource) -> Object:
    spec: Object = (await shop.client.get(resource, shop.key(NAME)))["spec"]
    return spec


async def pods_wanted(shop: Shop) -> int:
    return int((await spec_of(shop, DEPLOYMENTS))["replicas"])


async def scale(shop: Shop, resource: Resource, name: str, replicas: int) -> Object:
    """Scale a resource as `kubectl scale` and a HorizontalPodAutoscaler do."""
    change = {"spec": {"replicas": replicas}}
    return await shop.client.merge_patch(resource, shop.key(name), change, subresource="scale")


@contextlib.asynccontextmanager
async def history(shop: Shop) -> AsyncIterator[list[int]]:
    """Record every number of replicas that the Deployment requests."""
    wanted: list[int] = []

    async def follow() -> None:
        nonlocal wanted
        async for event in shop.client.watch(DEPLOYMENTS, namespace=shop.namespace):
            if event.type != "BOOKMARK":
                wanted += [event.object["spec"]["replicas"]]

    following = asyncio.create_task(follow())
    try:
        yield wanted
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def test_kubectl_scale_sets_the_number_of_replicas(red: Shop) -> None:
    await scale(red, MCPSERVERS, "red", 5)
    await eventually(functools.partial(pods_wanted, red), 5)
    await eventually(functools.partial(red.replicas, "red"), 5)

    found = json.loads(await red.client.request("GET", MCPSERVERS.path(*red.key("red"), "scale")))
    assert found["spec"]["replicas"] == 5
    assert found["status"]["replicas"] == 5
    labels = dict(part.split("=") for part in found["status"]["selector"].split(","))
    deployment = await spec_of(red, DEPLOYMENTS)
    assert labels == deployment["selector"]["matchLabels"]


async def test_a_deployment_that_is_scaled_by_hand_is_restored(red: Shop) -> None:
    await scale(red, DEPLOYMENTS, NAME, 9)
    await eventually(functools.partial(pods_wanted, red), 3)


async def test_adding_an_autoscaler_keeps_the_number_of_replicas(red: Shop) -> None:
    async with history(red) as wanted:
        change = {"replicas": None, "autoscaling": {"minReplicas": 2, "maxReplicas": 8}}
        await red.patch("MCPServer", "red", spec=change)
        await eventually(functools.partial(exists, red, AUTOSCALERS), expected=True)
        spec = await spec_of(red, AUTOSCALERS)
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
        assert spec["scaleTargetRef"] == target
        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 8)
    assert set(wanted) == {3}


async def test_the_operator_never_changes_the_replicas_that_an_autoscaler_sets(
    red: Shop, operator: Operator
) -> None:
    change = {"replicas": None, "autoscaling": {"minReplicas": 2, "maxReplicas": 8}}
    await red.patch("MCPServer", "red", spec=change)
    await eventually(functools.partial(exists, red, AUTOSCALERS), expected=True)
    async with history(red) as wanted:
        await scale(red, DEPLOYMENTS, NAME, 6)
        await eventually(functools.partial(red.replicas, "red"), 6)
        await red.patch("MCPServer", "red", spec={"config": {"drainTimeout": "31s"}})

        async def grace() -> int:
            pod = (await spec_of(red, DEPLOYMENTS))["template"]["spec"]
            return int(pod["terminationGracePeriodSeconds"])

        await eventually(grace, 41)
        await operator.settled(red.client)
        assert wanted[-1] == 6
    assert set(wanted) <= {3, 6}


async def test_the_operator_keeps_the_replicas_that_an_autoscaler_of_the_user_sets(
    shop: Shop, operator: Operator
) -> None:
    await shop.server("red")
    await eventually(functools.partial(exists, shop, DEPLOYMENTS), expected=True)
    async with history(shop) as wanted:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
        spec = {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 10}
        metadata = {"name": "own", "namespace": shop.namespace}
        await shop.client.create(AUTOSCALERS, {"metadata": metadata, "spec": spec})
        await eventually(functools.partial(pods_wanted, shop), 3)
        await shop.patch("MCPServer", "red", spec={"config": {"drainTimeout": "31s"}})
        await operator.settled(shop.client)
        assert await pods_wanted(shop) == 3
    assert set(wanted) == {1, 3}


async def test_removing_the_field_replicas_keeps_the_number_of_replicas(
    red: Shop, operator: Operator
) -> None:
    async with history(red) as wanted:
        await red.patch("MCPServer", "red", spec={"replicas": None})
        await operator.settled(red.client)
        await scale(red, DEPLOYMENTS, NAME, 6)
        await eventually(functools.partial(red.replicas, "red"), 6)
        await operator.settled(red.client)
    assert set(wanted) == {3, 6}


async def test_removing_the_autoscaler_restores_the_declared_replicas(red: Shop) -> None:
    change = {"replicas": None, "autoscaling": {"maxReplicas": 8}}
    await red.patch("MCPServer", "red", spec=change)
    await eventually(functools.partial(exists, red, AUTOSCALERS), expected=True)
    await scale(red, DEPLOYMENTS, NAME, 6)

    await red.patch("MCPServer", "red", spec={"replicas": 4, "autoscaling": None})
    await eventually(functools.partial(exists, red, AUTOSCALERS), expected=False)
    await eventually(functools.partial(pods_wanted, red), 4)
    await scale(red, DEPLOYMENTS, NAME, 7)
    await eventually(functools.partial(pods_wanted, red), 4)


async def test_a_new_server_starts_with_the_minimum_replicas_of_its_autoscaler(
    shop: Shop, operator: Operator
) -> None:
    await shop.server("red", autoscaling={"minReplicas": 2, "maxReplicas": 8})
    await eventually(functools.partial(exists, shop, AUTOSCALERS), expected=True)
    # kube-controller-manager syncs autoscalers only every 15 s by default.
    await eventually(functools.partial(pods_wanted, shop), 2)


async def test_kubectl_scale_is_refused_for_a_server_with_autoscaling(red: Shop) -> None:
    await red.patch("MCPServer", "red", spec={"replicas": None, "autoscaling": {"maxReplicas": 8}})
    with pytest.raises(ApiError) as refusal:
        await scale(red, MCPSERVERS, "red", 5)
    assert "autoscaling decides on the number of pods" in refusal.value.message


async def test_kubectl_autoscale_works_on_a_server(red: Shop) -> None:
    """An autoscaler of the user sets the server's replicas through its scale subresource."""
    own = {
        "apiVersion": AUTOSCALERS.api_version,
        "kind": AUTOSCALERS.kind,
        "metadata": {"name": "mine", "namespace": red.namespace},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": MCPSERVERS.api_version,
                "kind": MCPSERVERS.kind,
                "name": "red",
            },
            "minReplicas": 5,
            "maxReplicas": 8,
        },
    }
    await red.client.create(AUTOSCALERS, own)
    await eventually(functools.partial(pods_wanted, red), 5)
    assert (await red.get("MCPServer", "red"))["spec"]["replicas"] == 5


async def test_a_server_with_several_replicas_gets_a_disruption_budget_of_one_pod(
    red: Shop,
) -> None:
    await eventually(functools.partial(exists, red, DISRUPTION_BUDGETS), expected=True)
    budget = await spec_of(red, DISRUPTION_BUDGETS)
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"

    await red.patch("MCPServer", "red", spec={"podDisruptionBudget": {"minAvailable": "50%"}})

    async def limits() -> tuple[object, object]:
        found = await spec_of(red, DISRUPTION_BUDGETS)
        return found.get("minAvailable"), found.get("maxUnavailable")

    await eventually(limits, ("50%", None))


@pytest.mark.parametrize("change", [{"replicas": 1}, {"podDisruptionBudget": {"enabled": False}}])
async def test_a_budget_is_deleted_with_a_single_replica_or_when_disabled(
    red: Shop, change: Object
) -> None:
    await red.patch("MCPServer", "red", spec=change)
    await eventually(functools.partial(exists, red, DISRUPTION_BUDGETS), expected=False)


async def test_a_network_policy_follows_the_services_of_the_tools(red: Shop) -> None:
    policy = {"mode": "Full", "ingressFrom": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]}
    await red.patch("MCPServer", "red", spec={"networkPolicy": policy})

    async def reached() -> list[tuple[str, object]]:
        found = await red.find(NETWORKPOLICIES, NAME)
        return list(_destinations(found)) if found else []

    await eventually(reached, [("orders", 80)])
    [clients, _] = (await spec_of(red, NETWORKPOLICIES))["ingress"]
    assert clients["from"] == policy["ingressFrom"]

    await red.service("parcels", 8080)
    service = {"name": "parcels", "port": 8080, "path": "/"}
    await red.tool("ship", "red", service=service)
    await eventually(reached, [("orders", 80), ("parcels", 8080)])
    await red.patch("Service", "orders", spec={"selector": {"app": "moved"}})
    await eventually(reached, [("moved", 80), ("parcels", 8080)])
    await red.delete("MCPTool", "ship")
    await eventually(reached, [("moved", 80)])
    await red.patch("MCPServer", "red", spec={"networkPolicy": None})
    await eventually(functools.partial(exists, red, NETWORKPOLICIES), expected=False)


def _destinations(policy: Object) -> Iterator[tuple[str, object]]:
    for rule in policy["spec"]["egress"]:
        for peer in rule.get("to", []):
            if "podSelector" in peer:
                yield peer["podSelector"]["matchLabels"]["app"], rule["ports"][0]["port"]


async def test_a_service_without_a_selector_is_reported_until_extra_egress_is_added(
    red: Shop,
) -> None:
    await red.patch("MCPServer", "red", spec={"networkPolicy": {"mode": "Full"}})
    await red.patch("Service", "orders", spec={"selector": None})

    async def accepted() -> tuple[str, str]:
        return (await red.condition("MCPServer", "red", "Accepted"))[:2]

    await eventually(accepted, ("True", "EgressIncomplete"))
    _, _, message = await red.condition("MCPServer", "red", "Accepted")
    assert f"{red.namespace}/orders" in message
    extra = {"extraEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]}
    await red.patch("MCPServer", "red", spec={"networkPolicy": extra})
    await eventually(accepted, ("True", "Accepted"))
