"""What the tests of the controllers share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operators import Operator, running_operator
from support.shop import Shop


@pytest.fixture
async def shop(client: Client, namespace: str, crds_installed: None) -> Shop:
    """A namespace with one Service, `orders`, port 80."""
    shop = Shop(client, namespace)
    await shop.service()
    return shop


@pytest.fixture
async def operator(control_plane: Cluster, shop: Shop) -> AsyncIterator[Operator]:
    """An operator that runs for the test's namespace."""
    async with running_operator(control_plane.kubeconfig, shop.namespace) as operator:
        yield operator
