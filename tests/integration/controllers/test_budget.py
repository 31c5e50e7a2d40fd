"""How many requests a change takes: one write for each object that changes, and no reads.

Only before it creates a child, the operator reads whether an object with that name exists.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import Counter
from typing import Any

import pytest

from mcp_operator.api.crd import UNOBSERVED
from mcp_operator.api.v1alpha1 import MCPTOOLS
from mcp_operator.builders.resources import CHILDREN
from mcp_operator.core.meta import Object, is_controlled_by
from mcp_operator.runtime.client import Client
from support.complete import DIRECT, GATEWAY
from support.controlplane import Cluster
from support.namespace_cache import NamespaceCache
from support.operators import Operator, nobody_answers, running_operator
from support.ready_pods import confirms, ready_pods
from support.shop import Shop
from support.waiting import eventually

DIRECT_ONE = DIRECT | {"replicas": 1}
ONE_POD = {"autoscaling": {"minReplicas": 1, "maxReplicas": 4}}


def children(cached: NamespaceCache, server: Object) -> set[str]:
    """Return the paths of all children of a server."""
    return {
        f"{resource.plural}/{child['metadata']['name']}"
        for resource in CHILDREN
        for child in cached.list(resource)
        if is_controlled_by(child, server)
    }


async def settled(shop: Shop, operator: Operator, *servers: str) -> None:
    """Wait until servers report their one pod, and the operator is idle."""
    for server in servers:
        await eventually(functools.partial(shop.replicas, server), 1)
    await operator.settled(shop.client)


@pytest.mark.parametrize("spec", [{}, GATEWAY | ONE_POD, DIRECT_ONE])
async def test_a_new_server_takes_one_read_and_one_write_per_child_and_two_status_writes(
    shop: Shop, operator: Operator, cached: NamespaceCache, spec: dict[str, Any]
) -> None:
    await operator.settled(shop.client)
    operator.forget_requests()
    server = await shop.server("red", **spec)
    await settled(shop, operator, "red")
    made = children(cached, server)
    written = Counter(operator.writes)
    assert written.pop("PATCH mcpservers/red/status") <= 2
    assert written.pop("POST secrets", 0) == (spec is not DIRECT_ONE)
    assert written == Counter(f"PATCH {child}" for child in made)
    assert Counter(operator.reads) == Counter(f"GET {child}" for child in made)


async def test_each_of_fifty_servers_takes_as_many_requests_as_one_server_alone(
    shop: Shop, operator: Operator, cached: NamespaceCache
) -> None:
    await operator.settled(shop.client)
    operator.forget_requests()
    names = [f"server-{number}" for number in range(50)]
    made = await asyncio.gather(*(shop.server(name) for name in names))
    await settled(shop, operator, *names)
    written, read = Counter(operator.writes), Counter(operator.reads)
    assert written.pop("POST secrets") == len(names)
    for name, server in zip(names, made, strict=True):
        assert written.pop(f"PATCH mcpservers/{name}/status") <= 2
        for child in children(cached, server):
            assert written.pop(f"PATCH {child}") == 1
            assert read.pop(f"GET {child}") == 1
    assert written == read == Counter()


@pytest.mark.parametrize("ready", [False, True], ids=["no pod is ready", "all pods confirm"])
async def test_adding_or_changing_a_tool_takes_three_writes_and_deleting_it_two(
    client: Client, control_plane: Cluster, shop: Shop, *, ready: bool
) -> None:
    ask = confirms if ready else nobody_answers
    programmed = "Programmed" if ready else "NoReadyPods"
    everybody = ready_pods(client, shop.namespace) if ready else contextlib.nullcontext()
    async with (
        everybody,
        running_operator(control_plane.kubeconfig, shop.namespace, ask=ask) as operator,
    ):
        await shop.server("red")
        await shop.tool("first", "red")
        await shop.wait_for_reason("MCPServer", "red", "Programmed", programmed)
        await settled(shop, operator, "red")
        catalog = ["PATCH configmaps/mcp-server-red-config", "PATCH mcpservers/red/status"]
        change = {"spec": {"description": "second"}}
        for act, said, tool in (
            (functools.partial(shop.tool, "new", "red"), {"new": "first"}, True),
            (functools.partial(shop.patch, "MCPTool", "new", **change), {"new": "second"}, True),
            (functools.partial(shop.delete, "MCPTool", "new"), {}, False),
        ):
            operator.forget_requests()
            await act()
            await eventually(functools.partial(shop.served, "red"), {"first": "first", **said})
            await operator.settled(shop.client)
            await eventually(functools.partial(written, operator), len(catalog) + tool)
            assert sorted(operator.writes) == catalog + ["PATCH mcptools/new/status"] * tool
            assert operator.reads == []


async def written(operator: Operator) -> int:
    return len(operator.writes)


async def test_a_removed_status_triggers_no_reconciliation_and_the_next_resync_restores_it(
    shop: Shop, operator: Operator
) -> None:
    await shop.server("red")
    await shop.tool("search", "red")
    await shop.wait_for_reason("MCPTool", "search", "Ready", "ServerNotProgrammed")
    await settled(shop, operator, "red")
    before = operator.reconciliations()
    key = shop.key("search")
    await shop.client.merge_patch(MCPTOOLS, key, {"status": None}, subresource="status")
    tools = next(each for each in operator.informers if each.resource == MCPTOOLS)

    async def is_known() -> bool:
        cached = tools.store.get(key)
        return cached is not None and cached["status"] == UNOBSERVED

    await eventually(is_known, expected=True)
    await operator.settled(shop.client)
    assert operator.reconciliations() == before
    await operator.resync()
    await shop.wait_for_reason("MCPTool", "search", "Ready", "ServerNotProgrammed")
