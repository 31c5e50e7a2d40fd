"""Where benchmarks are run: a client, a namespace, and what a user has declared in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPTOOLS
from mcp_operator.core.meta import Key, Object, Resource, generation_of, key_of
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.informer import InformerSet
from mcp_operator.runtime.notification import Event
from support.shop import Shop

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)


@contextlib.asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Client]:
    client = await Client.connect(
        kubeconfig=kubeconfig,
        field_manager="mcp-operator-bench",
        user_agent="mcp-operator-bench",
        metrics=RuntimeMetrics(new_registry()),
    )
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def namespace_for(client: Client, name: str) -> AsyncIterator[Shop]:
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    try:
        yield Shop(client, name)
    finally:
        await client.delete(NAMESPACES, Key("", name))


async def furnish(shop: Shop, servers: int, tools: int) -> None:
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
    """Wait until every server has the catalog it should have, and every tool a status.

    What kube-controller-manager makes of the Deployments takes longer, and is none of our work.
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
