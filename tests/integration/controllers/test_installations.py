"""Two installations of the operator in one cluster do not manage the same server."""

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
    """Create a Lease that was just renewed, and return the name of its installation."""
    spec = {
        "holderIdentity": "pod",
        "leaseDurationSeconds": 15,
        "renewTime": rfc3339_micro(datetime.now(UTC)),
    }
    metadata = {"name": name, "namespace": shop.namespace}
    await shop.client.create(LEASES, {"metadata": metadata, "spec": spec})
    return f"{shop.namespace}/{name}"


async def test_a_server_is_taken_over_only_once_the_lease_of_its_installation_is_deleted(
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


async def test_a_server_is_taken_over_when_its_installation_no_longer_watches_the_namespace(
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
