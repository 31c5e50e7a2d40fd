"""An operator that is killed at any of its writes leaves nothing that the next one cannot mend."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from faults.crashes import Crash, Moment, end_state
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
            await eventually(functools.partial(shop.served, server), expected, seconds=20)
    await eventually(lambda: children_of(shop, "blue"), [], seconds=20)
    await eventually(functools.partial(shop.replicas, "red"), 1, seconds=20)


async def children_of(shop: Shop, server: str) -> list[str]:
    state = await end_state(shop.client, shop.namespace)
    return [name for name in state if f" mcp-server-{server}" in name]


async def crash_and_restart(
    client: Client, cluster: Cluster, crash: Crash, expected: object = None
) -> tuple[dict[str, object], list[str]]:
    """Go through the scenario with a crash; return the end state and what is written after it."""
    async with (
        own_namespace(client) as shop,
        running_operator(
            cluster.kubeconfig, shop.namespace, through=crash.client_class()
        ) as operator,
    ):
        user = asyncio.create_task(go_through(shop))
        crashing = asyncio.create_task(crash.happened.wait())
        await asyncio.wait({user, crashing}, return_when=asyncio.FIRST_COMPLETED)
        crashing.cancel()
        if not crash.happened.is_set():
            await user
            await operator.idle()
            return await end_state(client, shop.namespace), []
        await operator.kill()
        if crash.flying is not None:
            await crash.flying  # a successor begins when the lease has run out, seconds later
        async with running_operator(cluster.kubeconfig, shop.namespace) as successor:
            await user
            with contextlib.suppress(AssertionError):  # the caller tells the difference better
                await eventually(lambda: end_state(client, shop.namespace), expected)
            await successor.idle()
            successor.forget_requests()
            await successor.idle()
            return await end_state(client, shop.namespace), successor.writes


@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", Moment)
async def test_a_crash_at_any_write_leads_to_the_same_end(
    control_plane: Cluster, crds_installed: None, client: Client, moment: Moment
) -> None:
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager what a deleted server owned stays")
    calm = Crash()
    golden, _ = await crash_and_restart(client, control_plane, calm)
    assert calm.writes > 20
    room = asyncio.Semaphore(AT_ONCE)

    async def crash_at(write: int) -> None:
        async with room:
            crash = Crash(write, moment)
            end, late_writes = await crash_and_restart(client, control_plane, crash, golden)
        assert end.keys() == golden.keys(), f"after a crash at write {write}, {moment}"
        for name, obj in end.items():
            assert obj == golden[name], f"{name} after a crash at write {write}, {moment}"
        assert late_writes == [], f"after a crash at write {write}, {moment}"

    async with asyncio.TaskGroup() as crashes:
        for write in points(calm.writes, moment):
            crashes.create_task(crash_at(write))


def points(writes: int, moment: Moment) -> Iterator[int]:
    """Yield the writes to crash at: all at night, else every third, others for each moment."""
    if os.environ.get("MCP_OPERATOR_WALKS"):
        yield from range(1, writes + 1)
    else:
        yield from range(1 + list(Moment).index(moment), writes + 1, len(Moment))
