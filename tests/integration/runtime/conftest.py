"""Fixtures that the tests of the runtime share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster


@pytest.fixture
async def other_client(control_plane: Cluster) -> AsyncIterator[Client]:
    """A client with another field manager, whose writes informers see only through the watch."""
    connected = await Client.connect(
        kubeconfig=control_plane.kubeconfig,
        field_manager="somebody-else",
        user_agent="mcp-operator-tests",
        metrics=RuntimeMetrics(new_registry()),
    )
    yield connected
    await connected.close()
