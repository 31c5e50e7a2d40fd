"""The objects of a benchmark, and a wait until the operator has reconciled all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPTOOLS
from mcp_operator.core.meta import Key, Object, generation_of, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.informer import InformerSet
from mcp_operator.runtime.notification import Event
from support.shop import Shop


async def create_workload(shop: Shop, servers: int, tools: int) -> None:
    await shop.service()
    limit = asyncio.Semaphore(16)

    async def create(work: Awaitable[Object]) -> None:
        async with limit:
            await work

    async with asyncio.TaskGroup() as group:
        for number in range(servers):
            team = f"team-{number}"
            group.create_task(create(shop.server(team)))
            for index in range(tools):
                group.create_task(create(shop.tool(f"{team}-tool-{index}", team)))


async def converged(client: Client, namespace: str, tools: int) -> None:
    """Wait until every server has its catalog, and every tool a status.

    It does not wait for kube-controller-manager to roll out the Deployments.
    """
    behind: set[tuple[str, Key]] = set()
    done = asyncio.Event()

    def look(event: Event) -> None:
        obj = event.object
        status = obj.get("status") or {}
        current = status.get("observedGeneration") == generation_of(obj)
        if current and (obj["kind"] == MCPTOOLS.kind or status.get("toolCount") == tools):
            behind.discard((obj["kind"], key_of(obj)))
        else:
            behind.add((obj["kind"], key_of(obj)))
        if not behind:
            done.set()

    informers = InformerSet(client)
    for resource in (MCPSERVERS, MCPTOOLS):
        informers.informer(resource, namespace=namespace).add_handler(look)
    running = asyncio.create_task(informers.run())
    await informers.wait_synced(60)
    while behind:
        done.clear()
        await done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
