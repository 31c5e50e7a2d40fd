"""Every change updates the servers that it concerns and no others, as the request log shows."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import pytest

from support.controlplane import Cluster
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import eventually

Change = Callable[[Shop], Awaitable[object]]


async def create_objects(shop: Shop) -> None:
    """Create two servers, red and blue; each selects a tool, a prompt and a resource of its own."""
    for team in ("red", "blue"):
        await shop.server(team)
        await shop.tool(f"{team}-tool", team)
        await shop.prompt(f"{team}-prompt", team)
        await shop.resource(f"{team}-resource", team)


def everything(team: str) -> dict[str, str]:
    return {f"{team}-tool": "first", f"{team}-prompt": "", f"{team}-resource": "first"}


@pytest.fixture
async def reconciled(shop: Shop, operator: Operator) -> Shop:
    """The shop, after the operator has reconciled all its objects."""
    await create_objects(shop)
    await settle(shop, operator)
    operator.forget_requests()
    return shop


async def settle(shop: Shop, operator: Operator) -> None:
    """Wait until both servers are reconciled and the operator is idle."""
    for team in ("red", "blue"):
        await eventually(functools.partial(shop.served, team), everything(team))
        # The Deployment controller updates its status later; that must not count as a change.
        await eventually(functools.partial(shop.replicas, team), 1)
    await operator.settled(shop.client)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in everything("red").items() if key != name}


async def add_a_tool(shop: Shop) -> None:
    await shop.tool("new", "red")


async def edit_the_tool(shop: Shop) -> None:
    await shop.patch("MCPTool", "red-tool", spec={"description": "second"})


async def edit_the_resource(shop: Shop) -> None:
    content = {"uri": "shop://red-resource", "text": "second"}
    await shop.patch("MCPResource", "red-resource", spec={"content": content})


async def edit_the_prompt(shop: Shop) -> None:
    await shop.patch("MCPPrompt", "red-prompt", spec={"description": "second"})


async def change_the_selector(shop: Shop) -> None:
    selector = {"matchLabels": {"team": "nobody"}}
    await shop.patch("MCPServer", "red", spec={"toolSelector": selector})


def deleting(kind: str, name: str) -> Change:
    return lambda shop: shop.delete(kind, name)


def unlabelling(kind: str, name: str) -> Change:
    return lambda shop: shop.label(kind, name, None)


CHANGES: dict[str, tuple[Change, dict[str, str]]] = {
    "a tool is added": (add_a_tool, everything("red") | {"new": "first"}),
    "a tool is edited": (edit_the_tool, everything("red") | {"red-tool": "second"}),
    "a prompt is edited": (edit_the_prompt, everything("red") | {"red-prompt": "second"}),
    "a resource is edited": (edit_the_resource, everything("red") | {"red-resource": "second"}),
    "a tool is deleted": (deleting("MCPTool", "red-tool"), without("red-tool")),
    "a prompt is deleted": (deleting("MCPPrompt", "red-prompt"), without("red-prompt")),
    "a resource is deleted": (deleting("MCPResource", "red-resource"), without("red-resource")),
    "a tool loses its label": (unlabelling("MCPTool", "red-tool"), without("red-tool")),
    "a prompt loses its label": (unlabelling("MCPPrompt", "red-prompt"), without("red-prompt")),
    "a resource loses its label": (
        unlabelling("MCPResource", "red-resource"),
        without("red-resource"),
    ),
    "the server selects other tools": (change_the_selector, {}),
}

each_change = pytest.mark.parametrize(
    ("change", "expected"), CHANGES.values(), ids=[name.replace(" ", "-") for name in CHANGES]
)


@each_change
async def test_a_change_updates_the_server_it_concerns_and_no_other(
    reconciled: Shop, operator: Operator, change: Change, expected: dict[str, str]
) -> None:
    await change(reconciled)
    await eventually(lambda: reconciled.served("red"), expected)
    await operator.settled(reconciled.client)
    assert [write for write in operator.writes if "blue" in write] == []
    assert operator.reads == []


@each_change
async def test_a_change_while_the_operator_is_down_is_reconciled_after_its_start(
    control_plane: Cluster, shop: Shop, change: Change, expected: dict[str, str]
) -> None:
    await create_objects(shop)
    async with running_operator(control_plane.kubeconfig, shop.namespace) as first:
        await settle(shop, first)
    await change(shop)
    async with running_operator(control_plane.kubeconfig, shop.namespace) as second:
        await eventually(lambda: shop.served("red"), expected)
        await second.settled(shop.client)
        assert [write for write in second.writes if "blue" in write] == []


async def test_a_tool_whose_label_changes_moves_from_one_server_to_the_other(
    reconciled: Shop, operator: Operator
) -> None:
    await reconciled.label("MCPTool", "red-tool", "blue")
    await eventually(lambda: reconciled.served("red"), without("red-tool"))
    await eventually(lambda: reconciled.served("blue"), everything("blue") | {"red-tool": "first"})


async def test_deleting_a_service_removes_its_tools_from_the_servers_that_serve_them(
    reconciled: Shop, operator: Operator
) -> None:
    await reconciled.service("red-orders")
    service = {"name": "red-orders", "port": 80, "path": "/"}
    await reconciled.patch("MCPTool", "red-tool", spec={"service": service})
    await eventually(
        lambda: reconciled.condition("MCPTool", "red-tool", "ResolvedRefs"),
        (
            "True",
            "ResolvedRefs",
            "Every object that the spec refers to exists and permits the reference.",
        ),
    )
    await operator.settled(reconciled.client)
    operator.forget_requests()
    await reconciled.delete("Service", "red-orders")
    await eventually(lambda: reconciled.served("red"), without("red-tool"))
    await operator.settled(reconciled.client)
    assert [write for write in operator.writes if "blue" in write] == []
    message = await reconciled.wait_for_reason(
        "MCPTool", "red-tool", "ResolvedRefs", "ServiceNotFound"
    )
    assert message.startswith(f"Service {reconciled.namespace}/red-orders does not exist")
    await reconciled.service("red-orders")
    await eventually(lambda: reconciled.served("red"), everything("red"))


async def test_a_service_deleted_while_the_operator_is_down_removes_its_tools_after_its_start(
    control_plane: Cluster, shop: Shop
) -> None:
    await create_objects(shop)
    async with running_operator(control_plane.kubeconfig, shop.namespace) as first:
        await eventually(lambda: shop.served("red"), everything("red"))
        await first.settled(shop.client)
    await shop.delete("Service", "orders")
    async with running_operator(control_plane.kubeconfig, shop.namespace):
        await eventually(lambda: shop.served("red"), without("red-tool"))


async def test_content_of_a_resource_follows_its_config_map(
    reconciled: Shop, operator: Operator
) -> None:
    await reconciled.create("ConfigMap", "texts", data={"manual": "one"})
    source = {"uri": "shop://manual", "configMapKeyRef": {"name": "texts", "key": "manual"}}
    await reconciled.resource("manual", "red", content=None, contentFrom=source)
    await eventually(lambda: reconciled.served("red"), everything("red") | {"manual": "one"})
    await reconciled.patch("ConfigMap", "texts", data={"manual": "two"})
    await eventually(lambda: reconciled.served("red"), everything("red") | {"manual": "two"})
    await reconciled.delete("ConfigMap", "texts")
    await eventually(lambda: reconciled.served("red"), everything("red"))
    message = await reconciled.wait_for_reason(
        "MCPResource", "manual", "ResolvedRefs", "ConfigMapNotFound"
    )
    assert message.startswith(f"ConfigMap {reconciled.namespace}/texts does not exist")


async def test_an_edit_of_a_tool_takes_three_writes_and_no_reads(
    reconciled: Shop, operator: Operator
) -> None:
    await edit_the_tool(reconciled)
    await eventually(lambda: reconciled.served("red"), everything("red") | {"red-tool": "second"})
    await operator.settled(reconciled.client)
    assert sorted(operator.writes) == [
        "PATCH configmaps/mcp-server-red-config",
        "PATCH mcpservers/red/status",
        "PATCH mcptools/red-tool/status",
    ]
    assert operator.reads == []


async def test_a_deletion_of_a_tool_takes_two_writes(reconciled: Shop, operator: Operator) -> None:
    await reconciled.delete("MCPTool", "red-tool")
    await eventually(lambda: reconciled.served("red"), without("red-tool"))
    await operator.settled(reconciled.client)
    assert sorted(operator.writes) == [
        "PATCH configmaps/mcp-server-red-config",
        "PATCH mcpservers/red/status",
    ]


async def test_each_of_twenty_deletions_in_a_row_is_removed_from_the_catalog(
    shop: Shop, operator: Operator
) -> None:
    await shop.server("red")
    tools = {f"tool-{number:02}": "first" for number in range(20)}
    for name in tools:
        await shop.tool(name, "red")
    await eventually(lambda: shop.served("red"), tools)
    for name in list(tools):
        del tools[name]
        await shop.delete("MCPTool", name)
        await eventually(lambda: shop.served("red"), tools)


async def test_a_restart_without_changes_writes_nothing(
    reconciled: Shop, operator: Operator, control_plane: Cluster
) -> None:
    async with running_operator(control_plane.kubeconfig, reconciled.namespace) as second:
        await second.settled(reconciled.client)
        assert second.writes == []
