"""Deleting a server deletes its children, and the operator does not recreate them."""

from __future__ import annotations

import contextlib
import functools
import uuid
from collections.abc import AsyncIterator

import pytest

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.labels import SERVER_LABEL
from mcp_operator.builders.resources import CHILDREN
from mcp_operator.core.meta import Key, key_of, labels_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.complete import GATEWAY
from support.connected import NAMESPACES
from support.controlplane import Cluster
from support.namespace_cache import NamespaceCache
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import eventually

REQUESTS = 400
"""The maximum number of requests for a server while its namespace is being deleted.

Its children are deleted one after the other. After each, the operator tries to recreate it, the API
server refuses, and the operator retries with backoff. 10 to 100 requests are usual, and each
doubling of the time takes 10 more; without backoff there would be as many every second."""


async def test_deleting_a_server_deletes_its_children_and_the_operator_writes_nothing(
    complete: Shop, operator: Operator, cached: NamespaceCache
) -> None:
    for server in ("red", "blue"):
        await complete.label("MCPTool", f"{server}-search", None)
    await operator.settled(complete.client)
    operator.forget_requests()
    servers = [await complete.get("MCPServer", server) for server in ("red", "blue")]
    owners = [
        {
            "apiVersion": MCPSERVERS.api_version,
            "kind": MCPSERVERS.kind,
            **{field: server["metadata"][field] for field in ("name", "uid")},
            "controller": True,
            "blockOwnerDeletion": True,
        }
        for server in servers
    ]
    for child in (child for resource in CHILDREN for child in cached.list(resource)):
        if SERVER_LABEL in labels_of(child):
            [owner] = child["metadata"]["ownerReferences"]
            assert owner in owners
    for deleted in servers:
        await complete.delete("MCPServer", key_of(deleted).name)

    def nothing_is_left() -> bool:
        left = [obj for resource in CHILDREN for obj in cached.list(resource)]
        return not any(obj["metadata"]["name"].startswith("mcp-server-") for obj in left)

    await cached.until(nothing_is_left)
    await operator.settled(complete.client)
    assert not operator.writes


@pytest.fixture
async def doomed(client: Client, crds_installed: None) -> AsyncIterator[Shop]:
    """A shop in a namespace that the test can delete."""
    name = f"doomed-{uuid.uuid4().hex[:10]}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    yield Shop(client, name)
    with contextlib.suppress(ApiError):  # the test may have deleted it
        await client.delete(NAMESPACES, Key("", name))


async def test_a_namespace_with_servers_can_be_deleted_and_recreated(
    client: Client, control_plane: Cluster, doomed: Shop
) -> None:
    names = [f"server-{number}" for number in range(3)]
    namespace = Key("", doomed.namespace)

    async def exists() -> bool:
        pages = client.list_pages(NAMESPACES, field_selector=f"metadata.name={namespace.name}")
        return any([page.items async for page in pages])

    async with running_operator(control_plane.kubeconfig, doomed.namespace) as operator:
        for _ in range(2):
            await doomed.service()
            for name in names:
                await doomed.server(name, **GATEWAY)
                await doomed.tool(f"{name}-tool", name)
            for name in names:
                await eventually(functools.partial(doomed.replicas, name), 2)
            await operator.settled(doomed.client)
            operator.forget_requests()
            await client.delete(NAMESPACES, namespace)
            await eventually(exists, expected=False)
            await operator.settled(doomed.client)
            assert len(operator.writes) + len(operator.reads) < REQUESTS * len(names)
            await client.create(NAMESPACES, {"metadata": {"name": namespace.name}})
