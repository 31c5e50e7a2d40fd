"""HTTPRoutes where the Gateway API is installed, and the condition where it is not."""

from __future__ import annotations

import functools

from mcp_operator.builders.resources import HTTPROUTES
from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client
from support import gateway_api
from support.controlplane import Cluster
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import eventually

NAME = "mcp-server-red"
ROUTE = {"parentRefs": [{"name": "public"}], "hostnames": ["a.example.com"], "pathPrefix": "/shop"}


async def routed(shop: Shop) -> Object | None:
    found = await shop.find(HTTPROUTES, NAME)
    return found["spec"] if found else None


async def resolved(shop: Shop) -> tuple[str, str]:
    return (await shop.condition("MCPServer", "red", "ResolvedRefs"))[:2]


async def test_a_route_is_created_restored_after_an_edit_and_deleted(
    operator: Operator, shop: Shop
) -> None:
    await shop.server("red", httpRoute=ROUTE)
    await eventually(functools.partial(resolved, shop), ("True", "ResolvedRefs"))
    before = await routed(shop)
    assert before is not None
    [rule] = before["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/shop"}}]
    assert rule["backendRefs"][0]["name"] == NAME
    catalog = await shop.catalog("red")
    assert catalog is not None
    assert catalog.server.paths == ("/mcp", "/shop")
    await operator.settled(shop.client)
    operator.forget_requests()
    await shop.patch("MCPServer", "red", metadata={"annotations": {"touched": "1"}})
    await operator.settled(shop.client)
    assert operator.writes == []  # defaults of the API server are not differences

    change = {"spec": {"hostnames": ["evil.example.com"]}}
    await shop.client.merge_patch(HTTPROUTES, shop.key(NAME), change)
    await eventually(functools.partial(routed, shop), before)
    await shop.patch("MCPServer", "red", spec={"httpRoute": None})
    await eventually(functools.partial(routed, shop), None)


async def test_without_the_gateway_api_a_route_is_reported_and_the_server_still_serves(
    client: Client, control_plane: Cluster, shop: Shop
) -> None:
    async with (
        gateway_api.without(client),
        running_operator(control_plane.kubeconfig, shop.namespace) as operator,
    ):
        await shop.server("red", httpRoute=ROUTE)
        await shop.tool("search", "red")
        await eventually(functools.partial(resolved, shop), ("False", "GatewayApiMissing"))
        _, _, message = await shop.condition("MCPServer", "red", "ResolvedRefs")
        assert "install the Gateway API, or use spec.ingress" in message
        await eventually(functools.partial(shop.served, "red"), {"search": "first"})
        await operator.settled(shop.client)
        assert not any("httproutes" in write for write in operator.writes)
        await shop.patch("MCPServer", "red", spec={"httpRoute": None})
        await eventually(functools.partial(resolved, shop), ("True", "ResolvedRefs"))
