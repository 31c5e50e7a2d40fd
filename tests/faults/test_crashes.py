"""An operator that is killed at any of its writes leaves nothing that the next one cannot mend."""

from __future__ import annotations

import asyncio
import functools
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from faults.crashes import Crash, Moment, differences, end_state
from faults.proxy import fault_proxy
from faults.stability import PATIENCE, stable
from mcp_operator.core.meta import Key, Resource
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
AT_ONCE = 6
"""Crashes that are tried side by side, each in a namespace of its own."""

Step = tuple[Callable[[Shop], Awaitable[object]], dict[str, dict[str, str] | None]]


async def create(shop: Shop) -> None:
    for team in ("red", "blue"):
        await shop.server(team)
    await shop.tool("search", "red")
    await shop.prompt("greet", "red")
    await shop.resource("manual", "blue")


def select(team: str) -> Callable[[Shop], Awaitable[object]]:
    selector = {"matchLabels": {"team": team}}
    return lambda shop: shop.patch("MCPServer", "red", spec={"toolSelector": selector})


def describe(text: str) -> Callable[[Shop], Awaitable[object]]:
    return lambda shop: shop.patch("MCPTool", "search", spec={"description": text})


BLUE = {"manual": "first"}
STEPS: tuple[Step, ...] = (
    (create, {"red": {"search": "first", "greet": ""}, "blue": BLUE}),
    (describe("second"), {"red": {"search": "second", "greet": ""}, "blue": BLUE}),
    (select("blue"), {"red": BLUE, "blue": BLUE}),
    (select("red"), {"red": {"search": "second", "greet": ""}, "blue": BLUE}),
    (lambda shop: shop.delete("MCPPrompt", "greet"), {"red": {"search": "second"}, "blue": BLUE}),
    (lambda shop: shop.delete("MCPServer", "blue"), {"red": {"search": "second"}, "blue": None}),
)


@asynccontextmanager
async def own_namespace(client: Client) -> AsyncIterator[Shop]:
    name = f"test-{uuid.uuid4().hex[:10]}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    try:
        yield Shop(client, name)
    finally:
        await client.delete(NAMESPACES, Key("", name))


async def go_through(shop: Shop) -> None:
    """Do as the user of the scenario does: take a step, and see it served before the next."""
    await shop.service()
    for step, served in STEPS:
        await step(shop)
        for server, expected in served.items():
            await eventually(functools.partial(shop.served, server), expected, seconds=PATIENCE)


async def crash_and_restart(
    client: Client, cluster: Cluster, directory: Path, crash: Crash
) -> dict[str, object]:
    """Go through the scenario with a crash, and return what there is in the end."""
    async with fault_proxy(directory, cluster.kubeconfig) as proxy, own_namespace(client) as shop:
        user = asyncio.create_task(go_through(shop))
        await crash.befall(proxy, shop.namespace, user)
        async with running_operator(proxy.kubeconfig, shop.namespace) as successor:
            await user
            await stable(shop, successor, dict(STEPS[-1][1]))
            return await end_state(client, shop.namespace)


async def calmly(client: Client, cluster: Cluster) -> dict[str, object]:
    """Go through the scenario with one operator that nothing happens to."""
    async with (
        own_namespace(client) as shop,
        running_operator(cluster.kubeconfig, shop.namespace) as operator,
    ):
        await go_through(shop)
        await stable(shop, operator, dict(STEPS[-1][1]))
        return await end_state(client, shop.namespace)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", Moment)
async def test_a_crash_at_any_write_leads_to_the_same_end(
    control_plane: Cluster, crds_installed: None, client: Client, tmp_path: Path, moment: Moment
) -> None:
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager what a deleted server owned stays")
    golden = await calmly(client, control_plane)
    room = asyncio.Semaphore(AT_ONCE)

    async def crash_at(write: int) -> int:
        """Return how many writes there were."""
        async with room:
            crash = Crash(write, moment)
            directory = tmp_path / str(write)
            directory.mkdir()
            try:
                end = await crash_and_restart(client, control_plane, directory, crash)
            except Exception as error:
                raise AssertionError(
                    f"after a crash at write {write}, {moment}: {error}"
                ) from error
        difference = differences(golden, end)
        assert not difference, f"after a crash at write {write}, {moment}:\n{difference}"
        return crash.writes

    writes = await crash_at(0)
    assert writes > 20
    async with asyncio.TaskGroup() as crashes:
        for write in points(writes, moment):
            crashes.create_task(crash_at(write))


def points(writes: int, moment: Moment) -> Iterator[int]:
    """Yield the writes to crash at: all at night, else every third, others for each moment."""
    if os.environ.get("MCP_OPERATOR_WALKS"):
        yield from range(1, writes + 1)
    else:
        yield from range(1 + list(Moment).index(moment), writes + 1, len(Moment))
