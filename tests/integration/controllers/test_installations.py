"""Two installations of the operator in one cluster: the second says so and does not fight."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

from mcp_operator.controllers.event_reasons import EventReason
from mcp_operator.core.clock import rfc3339_micro
from mcp_operator.runtime.leader import LEASES
from mcp_operator.runtime.scope import Scope
from support.controlplane import Cluster
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually


async def hold_lease(shop: Shop, name: str) -> str:
    """Have a Lease that is being renewed; returns the name of its installation."""
    spec = {
        "holderIdentity": "pod",
        "leaseDurationSeconds": 15,
        "renewTime": rfc3339_micro(datetime.now(UTC)),
    }
    metadata = {"name": name, "namespace": shop.namespace}
    await shop.client.create(LEASES, {"metadata": metadata, "spec": spec})
    return f"{shop.namespace}/{name}"


async def test_a_server_that_another_installation_runs_is_left_alone_until_that_is_gone(
    shop: Shop, control_plane: Cluster
) -> None:
    old, new = await hold_lease(shop, "old"), await hold_lease(shop, "new")
    await shop.server("red")
    await shop.tool("search", "red")
    kubeconfig, namespace = control_plane.kubeconfig, shop.namespace
    async with running_operator(kubeconfig, namespace, installation=old) as first:
        await eventually(functools.partial(shop.served, "red"), {"search": "first"})
        await eventually(functools.partial(shop.replicas, "red"), 1)
        await first.settled(shop.client)
    await shop.patch("MCPTool", "search", spec={"description": "second"})
    async with running_operator(kubeconfig, namespace, installation=new) as second:
        await eventually(lambda: shop.events("red"), {EventReason.RUN_ELSEWHERE})
        await second.settled(shop.client)
        assert second.writes == []
        assert await shop.served("red") == {"search": "first"}
    await shop.client.delete(LEASES, shop.key("old"))
    async with running_operator(kubeconfig, namespace, installation=new):
        await eventually(functools.partial(shop.served, "red"), {"search": "second"})

        async def runs() -> object:
            return (await shop.get("MCPServer", "red"))["status"].get("operator")

        await eventually(runs, new)


async def test_a_server_in_a_namespace_that_another_installation_has_left_is_taken_over(
    shop: Shop, control_plane: Cluster
) -> None:
    old, new = await hold_lease(shop, "old"), await hold_lease(shop, "new")
    await shop.server("red")
    await shop.tool("search", "red")
    kubeconfig, namespace = control_plane.kubeconfig, shop.namespace
    async with running_operator(kubeconfig, namespace, installation=old) as first:
        await eventually(functools.partial(shop.served, "red"), {"search": "first"})
        await first.settled(shop.client)
    await shop.patch("MCPTool", "search", spec={"description": "second"})
    annotations = Scope(("elsewhere",)).annotations()
    change = {"metadata": {"annotations": annotations}}
    await shop.client.merge_patch(LEASES, shop.key("old"), change)
    async with running_operator(kubeconfig, namespace, installation=new):
        await eventually(functools.partial(shop.served, "red"), {"search": "second"})
