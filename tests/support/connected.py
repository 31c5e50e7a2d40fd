"""Context managers with a client, and with a namespace."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mcp_operator.core.meta import Key, Resource
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from support.shop import Shop

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)


@asynccontextmanager
async def connected(kubeconfig: Path, field_manager: str = "user") -> AsyncIterator[Client]:
    """Connect a client with metrics of its own until the block ends."""
    client = await Client.connect(
        kubeconfig=kubeconfig,
        field_manager=field_manager,
        user_agent="mcp-operator-tests",
        metrics=RuntimeMetrics(new_registry()),
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def own_namespace(client: Client, name: str = "") -> AsyncIterator[Shop]:
    """Create a namespace, by default with a new name, and delete it in the background after."""
    name = name or f"test-{uuid.uuid4().hex[:10]}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    try:
        yield Shop(client, name)
    finally:
        await client.delete(NAMESPACES, Key("", name))
