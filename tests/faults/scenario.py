"""What one user does, which has to end the same whatever else happens meanwhile."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from faults.stability import PATIENCE, Served, stable
from faults.states import end_state
from mcp_operator.core.meta import Key, Resource
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)

Step = tuple[Callable[[Shop], Awaitable[object]], dict[str, Served]]


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


BLUE: Served = {"manual": "first"}
END: dict[str, Served] = {"red": {"search": "second"}, "blue": None}
STEPS: tuple[Step, ...] = (
    (lambda shop: shop.service(), {}),
    (create, {"red": {"search": "first", "greet": ""}, "blue": BLUE}),
    (describe("second"), {"red": {"search": "second", "greet": ""}, "blue": BLUE}),
    (select("blue"), {"red": BLUE, "blue": BLUE}),
    (select("red"), {"red": {"search": "second", "greet": ""}, "blue": BLUE}),
    (lambda shop: shop.delete("MCPPrompt", "greet"), {"red": {"search": "second"}, "blue": BLUE}),
    (lambda shop: shop.delete("MCPServer", "blue"), END),
)


async def go_through(shop: Shop) -> None:
    """Take each step, and see it served before the next."""
    for step, served in STEPS:
        await step(shop)
        for server, expected in served.items():
            await eventually(functools.partial(shop.served, server), expected, seconds=PATIENCE)


async def calmly(cluster: Cluster) -> dict[str, object]:
    """Go through all of it while nothing happens, and return what there is in the end."""
    async with (
        connected_user(cluster.kubeconfig) as client,
        own_namespace(client) as shop,
        running_operator(cluster.kubeconfig, shop.namespace) as operator,
    ):
        await go_through(shop)
        await stable(shop, operator, END)
        return await end_state(client, shop.namespace)


@asynccontextmanager
async def connected_user(kubeconfig: Path) -> AsyncIterator[Client]:
    """Give a client for what users do."""
    client = await Client.connect(
        kubeconfig=kubeconfig,
        field_manager="user",
        user_agent="mcp-operator-tests",
        metrics=RuntimeMetrics(new_registry()),
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def own_namespace(client: Client) -> AsyncIterator[Shop]:
    """Give a namespace in which several of these can go on side by side."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    try:
        yield Shop(client, name)
    finally:
        await client.delete(NAMESPACES, Key("", name))
