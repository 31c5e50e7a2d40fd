"""Fixtures that the tests of the controllers share."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

import pytest

from mcp_operator.builders.resources import CHILDREN
from mcp_operator.runtime.client import Client
from support.complete import DIRECT, GATEWAY
from support.controlplane import Cluster
from support.namespace_cache import NamespaceCache, namespace_cache
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import eventually


@pytest.fixture
async def shop(client: Client, namespace: str, crds_installed: None) -> Shop:
    """A namespace with one Service, `orders`, port 80."""
    shop = Shop(client, namespace)
    await shop.service()
    return shop


@pytest.fixture
async def operator(control_plane: Cluster, shop: Shop) -> AsyncIterator[Operator]:
    """An operator that watches the test's namespace."""
    async with running_operator(control_plane.kubeconfig, shop.namespace) as operator:
        yield operator


@pytest.fixture
async def cached(
    crds_installed: None, client: Client, namespace: str
) -> AsyncIterator[NamespaceCache]:
    """A cache of the test's namespace, with every kind that a server has children of."""
    async with namespace_cache(client, namespace, CHILDREN) as cached:
        yield cached


@pytest.fixture
async def complete(shop: Shop, operator: Operator) -> Shop:
    """A Gateway server `red` and a Direct server `blue`, with every feature on, both settled."""
    await shop.create("Secret", "login", stringData={"token": "x"})
    credentials = {"type": "Bearer", "secretRef": {"name": "login", "key": "token"}}
    for server, spec in (("red", GATEWAY), ("blue", DIRECT)):
        await shop.tool(f"{server}-search", server, request={"credentials": credentials})
        await shop.server(server, **spec)
    await eventually(functools.partial(shop.served, "red"), {"red-search": "first"})
    for server in ("red", "blue"):
        await eventually(functools.partial(shop.replicas, server), 2)
    await operator.settled(shop.client)
    return shop
