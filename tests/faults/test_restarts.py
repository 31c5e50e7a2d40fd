"""An API server that crashes, and comes back without a memory of its watches."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator

import pytest

from faults.stability import PATIENCE, stable
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from support.controlplane import ControlPlane
from support.crds import install_crds
from support.operators import running_operator
from support.provision import UnavailableError, find_binaries
from support.shop import Shop
from support.waiting import eventually


@pytest.fixture
def own_control_plane() -> Iterator[ControlPlane]:
    """A control plane that a test may break."""
    try:
        binaries = find_binaries(print)
    except UnavailableError as error:
        pytest.skip(str(error))
    with ControlPlane(binaries) as running:
        yield running


@pytest.fixture
async def own_shop(own_control_plane: ControlPlane) -> AsyncIterator[Shop]:
    client = await Client.connect(
        kubeconfig=own_control_plane.kubeconfig,
        field_manager="user",
        user_agent="mcp-operator-tests",
        metrics=RuntimeMetrics(new_registry()),
    )
    await install_crds(client)
    shop = Shop(client, "default")
    await shop.service()
    yield shop
    await client.close()


@pytest.mark.timeout(180)
async def test_a_crash_of_the_api_server_is_survived_and_what_was_missed_is_found(
    own_control_plane: ControlPlane, own_shop: Shop
) -> None:
    shop = own_shop
    served = functools.partial(shop.served, "red")
    async with running_operator(own_control_plane.kubeconfig, "default") as operator:
        await shop.server("red")
        for name in ("one", "two", "three"):
            await shop.tool(name, "red")
        await stable(shop, operator, {"red": dict.fromkeys(("one", "two", "three"), "first")})
        for gone, left in (("one", ("two", "three")), ("two", ("three",))):
            await asyncio.to_thread(own_control_plane.kill_api_server)
            await asyncio.to_thread(own_control_plane.run_api_server)
            await shop.delete("MCPTool", gone)
            await eventually(served, dict.fromkeys(left, "first"), seconds=PATIENCE)
        await stable(shop, operator, {"red": {"three": "first"}})
