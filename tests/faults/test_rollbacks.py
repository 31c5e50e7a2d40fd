"""A restore of etcd, which sets versions, generations and objects back to an earlier time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from faults.stability import stable
from mcp_operator.builders.labels import SERVER_LABEL
from mcp_operator.builders.names import config_name
from mcp_operator.builders.resources import CHILDREN, CONFIGMAPS, HTTPROUTES
from mcp_operator.core.meta import key_of, labels_of
from mcp_operator.gateway.source import CatalogSource, index_informer
from mcp_operator.gateway.table import Current
from mcp_operator.runtime.informer import InformerSet
from support.connected import connected
from support.controlplane import ControlPlane
from support.objects import CONFIG_MAPS, config_map
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually

LATER = 300
"""The number of changes after the backup; a cluster has as many in a few minutes."""


@pytest.fixture
async def gateway(own_control_plane: ControlPlane, own_shop: Shop) -> AsyncIterator[Current]:
    """The catalog that a gateway of the server `red` serves."""
    current, index = Current(), own_shop.key(config_name("red"))
    async with connected(own_control_plane.kubeconfig) as client:
        informers = InformerSet(client)
        informer = index_informer(informers, index)
        registry = CollectorRegistry()
        source = CatalogSource(client, informer, current, index=index, registry=registry)
        tasks = [asyncio.create_task(informers.run()), asyncio.create_task(source.run())]
        yield current
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def tools(current: Current) -> dict[str, str]:
    table = current.table
    return {name: tool.description for name, tool in table.tools.items()} if table else {}


async def children(shop: Shop, server: str) -> list[str]:
    """Return the objects that have the label of a server's children."""
    return [
        f"{resource.kind} {key_of(obj).name}"
        for resource in CHILDREN
        if resource != HTTPROUTES
        async for page in shop.client.list_pages(resource, namespace=shop.namespace)
        for obj in page.items
        if labels_of(obj).get(SERVER_LABEL) == server
    ]


async def make_many_changes(shop: Shop) -> None:
    await shop.client.create(
        CONFIG_MAPS,
        {**config_map("counter", 0), "metadata": {"name": "counter", "namespace": shop.namespace}},
    )
    for number in range(LATER):
        change = {"data": {"number": str(number)}}
        await shop.client.merge_patch(CONFIGMAPS, shop.key("counter"), change)


async def test_after_a_restore_of_etcd_operator_and_gateway_use_the_restored_state(
    own_control_plane: ControlPlane, own_shop: Shop, gateway: Current
) -> None:
    shop, cluster = own_shop, own_control_plane
    async with running_operator(cluster.kubeconfig, shop.namespace) as operator:
        await shop.server("red")
        for name in ("kept", "lost"):
            await shop.tool(name, "red")
        await stable(shop, operator, {"red": {"kept": "first", "lost": "first"}})
        saved = await asyncio.to_thread(cluster.save_data)
        await shop.delete("MCPTool", "lost")
        await shop.tool("new", "red")
        await shop.patch("MCPTool", "kept", spec={"description": "second"})
        await shop.server("blue")
        after = {"kept": "second", "new": "first"}
        await stable(shop, operator, {"red": after, "blue": {}})
        await eventually(functools.partial(tools, gateway), after)
        await make_many_changes(shop)
        await operator.settled(shop.client)
        operator.forget_requests()

        await asyncio.to_thread(cluster.restore_data, saved)
        # The operator has seen this generation before, with other content.
        await shop.patch("MCPTool", "kept", spec={"description": "third"})

        served = {"kept": "third", "lost": "first"}
        writes = await stable(shop, operator, {"red": served})
        await eventually(functools.partial(tools, gateway), served)
        assert await children(shop, "blue") == []
        assert not [write for write in writes if "blue" in write or "mcptools/new" in write]
