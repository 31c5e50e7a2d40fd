"""The steps of one user, which must lead to the same end state with every fault."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from faults.end_state import end_state
from faults.stability import Served, stable
from support.connected import connected, own_namespace
from support.controlplane import Cluster
from support.operators import running_operator
from support.shop import Shop
from support.waiting import eventually

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


async def run_scenario(shop: Shop) -> None:
    """Take each step, and wait until it is served before the next."""
    for step, served in STEPS:
        await step(shop)
        for server, expected in served.items():
            await eventually(functools.partial(shop.served, server), expected)


async def run_undisturbed(cluster: Cluster) -> dict[str, object]:
    """Run the scenario without faults, and return the end state."""
    async with (
        connected(cluster.kubeconfig) as client,
        own_namespace(client) as shop,
        running_operator(cluster.kubeconfig, shop.namespace) as operator,
    ):
        await run_scenario(shop)
        await stable(shop, operator, END)
        return await end_state(client, shop.namespace)
