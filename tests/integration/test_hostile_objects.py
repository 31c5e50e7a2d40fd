"""A user who can write objects in one namespace cannot stop the operator for other namespaces.

Each attack happens while a real operator process leads. Before and after it, the operator is ready,
serves a change in another namespace, and uses about as much memory; `-rP` prints the figures.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client
from support.connected import own_namespace
from support.controlplane import Cluster
from support.operator_process import OperatorProcess
from support.shop import Shop
from support.waiting import eventually

GROWTH_MB = 150.0
"""The maximum memory that one attack can take. Without limits the patterns took a gigabyte."""

FLAGS = ("--lease-name", "hostile", "--lease-namespace")


def nested(levels: int) -> Object:
    value: Object = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def bomb() -> Object:
    """Return short patterns that take a megabyte each when they are compiled."""
    patterns = [{"pattern": f"^\\pL{{200}}x{number}$"} for number in range(100)]
    return {"type": "object", "properties": {"p": {"anyOf": patterns}}}


def deep() -> Object:
    """Return a schema that is nested more deeply than the decoder supports."""
    return {"type": "object", "properties": nested(193)}


def dense() -> Object:
    """Return 1.3 MB of JSON that takes thirty times as much memory when it is decoded."""
    return {"type": "object", "x": [[] for _ in range(430_000)]}


def large() -> Object:
    """Return a text of 1.4 MB: nearly the largest object that etcd stores."""
    return {"type": "object", "description": "x" * 1_400_000}


Attack = Callable[[Shop], Awaitable[object]]


def tool(schema: Callable[[], Object]) -> Attack:
    return lambda shop: shop.tool("hostile", "hostile", inputSchema=schema())


async def crowd(shop: Shop) -> None:
    """Create many tools that two servers select."""
    await shop.server("second", "hostile")
    for number in range(300):
        await shop.tool(f"tool-{number}", "hostile")


async def hot_loop(shop: Shop) -> None:
    """Change one tool as fast as the API server responds."""
    await shop.tool("hot", "hostile")
    for number in range(300):
        await shop.patch("MCPTool", "hot", spec={"description": str(number)})


ATTACKS: dict[str, Attack] = {
    "patterns with huge repeat counts": tool(bomb),
    "nested too deeply for the decoder": tool(deep),
    "many small values": tool(dense),
    "as large as etcd stores": tool(large),
    "many objects": crowd,
    "a hot loop of changes": hot_loop,
}


@pytest.fixture
async def bystander(client: Client, namespace: str, crds_installed: None) -> Shop:
    shop = Shop(client, namespace)
    await shop.service()
    await shop.server("red")
    await shop.tool("red-tool", "red")
    return shop


@pytest.fixture
async def hostile(client: Client, namespace: str) -> AsyncIterator[Shop]:
    async with own_namespace(client, f"{namespace}-hostile") as shop:
        await shop.service()
        await shop.server("hostile")
        yield shop


@pytest.fixture
async def operator(
    control_plane: Cluster, bystander: Shop, hostile: Shop
) -> AsyncIterator[OperatorProcess]:
    process = OperatorProcess(control_plane.kubeconfig, "", *FLAGS, bystander.namespace)
    await process.ready()
    await eventually(process.leads, expected=True)
    yield process
    process.stop()


_edits = itertools.count()


async def edited_and_served(shop: Shop) -> None:
    """Change the bystander's tool, and wait until its server's catalog has the change."""
    text = f"edit {next(_edits)}"
    await shop.patch("MCPTool", "red-tool", spec={"description": text})
    await eventually(functools.partial(described, shop), text)


async def described(shop: Shop) -> Any:
    catalog = await shop.catalog("red")
    return catalog.tools[0].description if catalog and catalog.tools else None


@pytest.mark.parametrize("attack", ATTACKS)
async def test_the_operator_stays_ready_and_serves_other_namespaces(
    operator: OperatorProcess, bystander: Shop, hostile: Shop, attack: str
) -> None:
    await edited_and_served(bystander)
    before = operator.rss_mb()
    attacking = asyncio.create_task(attacked(hostile, attack))
    for _ in range(5):
        await edited_and_served(bystander)
        assert await operator.is_ready()
    await attacking
    await edited_and_served(bystander)
    after = operator.rss_mb()
    figures = f"{attack}: ready, RSS {before:.0f} MB before and {after:.0f} MB after"
    print(figures)  # noqa: T201  # pytest -rP shows it
    assert await operator.is_ready()
    assert await operator.leads()
    assert after < before + GROWTH_MB
    assert "Traceback" not in operator.log()


async def attacked(shop: Shop, attack: str) -> None:
    await ATTACKS[attack](shop)
    if attack not in {"many objects", "a hot loop of changes"}:
        await eventually(functools.partial(judged, shop), "False")


async def judged(shop: Shop) -> str:
    """Return the status of the hostile tool's condition Accepted."""
    return (await shop.condition("MCPTool", "hostile", "Accepted"))[0]


async def test_an_operator_that_starts_with_an_object_it_cannot_decode_becomes_ready(
    control_plane: Cluster, bystander: Shop, hostile: Shop
) -> None:
    await ATTACKS["nested too deeply for the decoder"](hostile)
    process = OperatorProcess(control_plane.kubeconfig, "", *FLAGS, bystander.namespace)
    try:
        await process.ready()
        await edited_and_served(bystander)
        await eventually(functools.partial(judged, hostile), "False")
    finally:
        process.stop()
