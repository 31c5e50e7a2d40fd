"""How long the writes of a cold start take by themselves, sent by a client that decides nothing.

The API server and etcd have these cores to themselves and the client. What an operator takes longer
is what it adds: its start, its decisions and the waits between them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

from bench.ground import furnish
from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import CHILDREN, HTTPROUTES
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.client import Client
from support.connected import connected, own_namespace
from support.shop import Shop

WRITERS = 8
"""Writes at a time: the workers of the operator's controllers of servers and tools."""

_ALLOCATED = ("clusterIP", "clusterIPs", "healthCheckNodePort")

Write = tuple[Resource, Object, str]
"""What is applied to which resource and subresource."""


async def floor(kubeconfig: Path, name: str, servers: int, tools: int, like: Shop) -> float:
    """Return the seconds for all children and statuses of such servers and tools.

    Args:
        kubeconfig: An administrator's.
        name: A namespace for it.
        servers: So many of them.
        tools: So many for each.
        like: Where an operator has written the same for the same servers and tools.
    """
    async with connected(kubeconfig) as client, own_namespace(client, name) as shop:
        await furnish(shop, servers, tools)
        writes = [*await _children(like), *await _statuses(like)]
        limit = asyncio.Semaphore(WRITERS)
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for write in writes:
                group.create_task(_send(client, shop.namespace, write, limit))
        return time.perf_counter() - began


async def _send(client: Client, namespace: str, write: Write, limit: asyncio.Semaphore) -> None:
    resource, obj, subresource = write
    there = {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}
    async with limit:
        await client.apply(resource, there, subresource=subresource)


async def _children(shop: Shop) -> list[Write]:
    return [
        (resource, _applied(obj), "")
        for resource in CHILDREN
        if resource != HTTPROUTES  # of a kind that is not installed here, nor used
        for obj in await _all(shop, resource)
        if "mcp-operator.dev/server" in obj["metadata"].get("labels", {})
    ]


async def _statuses(shop: Shop) -> list[Write]:
    return [
        (resource, {**_head(obj), "status": obj["status"]}, "status")
        for resource in (MCPSERVERS, MCPTOOLS)
        for obj in await _all(shop, resource)
    ]


async def _all(shop: Shop, resource: Resource) -> Sequence[Object]:
    answer = json.loads(await shop.client.request("GET", resource.path(shop.namespace)))
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return [head | item for item in answer["items"]]


def _applied(obj: Object) -> Object:
    """Return about what was applied; the owner and what the API server allocates are left out."""
    kept = {name: value for name, value in obj.items() if name not in {"status", "metadata"}}
    if "spec" in kept:
        kept["spec"] = {k: v for k, v in kept["spec"].items() if k not in _ALLOCATED}
    metadata = obj["metadata"]
    marks = {k: metadata[k] for k in ("labels", "annotations") if k in metadata}
    return kept | {"metadata": {"name": metadata["name"], **marks}}


def _head(obj: Object) -> Object:
    metadata = {"name": obj["metadata"]["name"]}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
