"""Measures how long a starting operator takes until servers that it never saw have converged.

There are two measurements. Meanwhile kube-controller-manager rolls out the new Deployments. The
operator does not wait for that, but on one machine it uses the same cores. So one measurement runs
it with its default limits, and one without it, as if the control plane had its own cores.

The floor is the time of the same writes, sent by a client without any logic. The difference is what
an operator adds: its start, its decisions and the waits between them.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import time
from collections.abc import Sequence

from bench.in_cluster import Account
from bench.workload import converged, create_workload
from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import CHILDREN, HTTPROUTES
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.client import Client
from support.connected import NAMESPACES, connected, own_namespace
from support.controlplane import Cluster
from support.shop import Shop
from support.waiting import eventually

WRITERS = 8
"""Concurrent writes, as many as the workers of the controllers of servers and tools."""

_ALLOCATED = ("clusterIP", "clusterIPs", "healthCheckNodePort")

Write = tuple[Resource, Object, str]
"""The resource, the object and the subresource of a write."""


async def measure(
    cluster: Cluster, servers: int, tools: int, *, rollouts: bool
) -> dict[str, float]:
    """Measure the convergence of servers with tools after a cold start, and its floor."""
    name = f"bench-cold-{servers}x{tools}-{int(rollouts)}-{os.getpid()}"
    async with (
        connected(cluster.kubeconfig) as client,
        own_namespace(client, name) as shop,
        own_namespace(client, f"{name}-floor") as empty,
        Account(client, cluster.kubeconfig, shop.namespace) as account,
    ):
        await eventually(functools.partial(_cleaning_up, client), expected=False, seconds=300)
        with cluster.with_patient_controllers() if rollouts else cluster.without_controllers():
            for each in (shop, empty):
                await create_workload(each, servers, tools)
            figures = await _start(client, shop, account, tools)
            return figures | {"floor_seconds": await _floor(client, empty, like=shop)}


async def _cleaning_up(client: Client) -> bool:
    """Return whether kube-controller-manager still cleans up after an earlier benchmark."""
    namespaces = json.loads(await client.request("GET", NAMESPACES.path("")))["items"]
    return any(namespace["status"]["phase"] == "Terminating" for namespace in namespaces)


async def _start(client: Client, shop: Shop, account: Account, tools: int) -> dict[str, float]:
    began = time.perf_counter()
    operator = account.operator()
    try:
        await operator.ready()
        await converged(client, shop.namespace, tools)
        seconds, cpu = time.perf_counter() - began, operator.cpu_seconds()
        requests = await operator.quiet()
    finally:
        operator.stop()
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "writes": float(requests.total() - requests["GET"]),
        "reads": float(requests["GET"]),
    }


async def _floor(client: Client, empty: Shop, like: Shop) -> float:
    """Return the seconds of writing all children and statuses of another namespace."""
    writes = [*await _children(like), *await _statuses(like)]
    limit = asyncio.Semaphore(WRITERS)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for write in writes:
            group.create_task(_send(client, empty.namespace, write, limit))
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
        if resource != HTTPROUTES  # the kind is not installed, nor used
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
    """Return roughly the applied object, without its owner and allocated fields."""
    kept = {name: value for name, value in obj.items() if name not in {"status", "metadata"}}
    if "spec" in kept:
        kept["spec"] = {k: v for k, v in kept["spec"].items() if k not in _ALLOCATED}
    metadata = obj["metadata"]
    marks = {k: metadata[k] for k in ("labels", "annotations") if k in metadata}
    return kept | {"metadata": {"name": metadata["name"], **marks}}


def _head(obj: Object) -> Object:
    metadata = {"name": obj["metadata"]["name"]}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
