"""Servers that take tools of other namespaces, and tools that consent to it or do not."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.references import ALLOW_ANNOTATION
from mcp_operator.builders.resources import ROLES
from mcp_operator.controllers.cluster_cache import REFERENCE_GRANTS
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.scope import Scope
from support import gateway_api
from support.connected import NAMESPACES, own_namespace
from support.controlplane import Cluster
from support.operators import Operator, running_operator
from support.shop import Shop
from support.waiting import eventually


class Town(NamedTuple):
    """A namespace with servers, one with tools, and a third; an operator works in all of them."""

    front: Shop
    back: Shop
    other: Shop
    operator: Operator

    async def consent(self, value: str | None, name: str = "search") -> None:
        """Let a tool say which namespaces may serve it."""
        await self.back.patch("MCPTool", name, metadata={"annotations": {ALLOW_ANNOTATION: value}})

    async def grant(self, **to: str) -> None:
        """Let a ReferenceGrant say that servers of the front may serve tools of the back."""
        source = {
            "group": "mcp-operator.dev",
            "kind": "MCPServer",
            "namespace": self.front.namespace,
        }
        target = {"group": "mcp-operator.dev", "kind": "MCPTool", **to}
        metadata = {"name": "front", "namespace": self.back.namespace}
        spec = {"from": [source], "to": [target]}
        head = {"apiVersion": REFERENCE_GRANTS.api_version, "kind": REFERENCE_GRANTS.kind}
        await self.front.client.create(
            REFERENCE_GRANTS, {**head, "metadata": metadata, "spec": spec}
        )

    async def label(self, shop: Shop, **labels: str | None) -> None:
        """Label a namespace."""
        change = {"metadata": {"labels": labels}}
        await shop.client.merge_patch(NAMESPACES, Key("", shop.namespace), change)

    async def serves(self, *tools: str) -> None:
        """Wait until the server of the front serves these tools."""

        async def names() -> set[str]:
            return set(await self.front.served("red") or ())

        await eventually(names, set(tools))

    async def rejects(self, *names: str) -> list[Object]:
        """Wait until the server's status rejects these tools of the back."""

        async def rejected() -> set[str]:
            status = (await self.front.get("MCPServer", "red"))["status"]
            return {f"{each['namespace']}/{each['name']}" for each in status.get("rejected", ())}

        await eventually(rejected, {f"{self.back.namespace}/{name}" for name in names})
        found: list[Object] = (await self.front.get("MCPServer", "red"))["status"]["rejected"]
        return found

    async def selecting(self, name: str = "search") -> list[str]:
        """Return the servers that a tool's own status lists."""
        status = (await self.back.get("MCPTool", name))["status"]
        return [f"{each['namespace']}/{each['name']}" for each in status.get("servers", ())]


@pytest.fixture
async def town(control_plane: Cluster, client: Client, crds_installed: None) -> AsyncIterator[Town]:
    await gateway_api.install_grants(client)
    async with AsyncExitStack() as stack:
        shops = [await stack.enter_async_context(own_namespace(client)) for _ in range(3)]
        # What is made within the same second is told apart by its namespace.
        back, front, other = sorted(shops, key=lambda shop: shop.namespace)
        name = front.namespace
        for shop in shops:
            change = {"metadata": {"labels": {"town": name}}}
            await client.merge_patch(NAMESPACES, Key("", shop.namespace), change)
            await shop.service()
        operator = await stack.enter_async_context(
            running_operator(control_plane.kubeconfig, "", scope=Scope(selector=f"town={name}"))
        )
        yield Town(front, back, other, operator)


async def server(town: Town, mode: str = "All", **allowed: Any) -> None:
    """Have a server in the front that takes tools of other namespaces."""
    await town.front.server("red", allowedNamespaces={"from": mode, **allowed})


async def test_a_tool_without_consent_is_rejected_with_what_to_do_and_not_told_of_it(
    town: Town,
) -> None:
    await town.back.tool("search", "red")
    await town.front.tool("own", "red")
    await server(town)
    await town.serves("own")
    [rejection] = await town.rejects("search")
    assert rejection["reason"] == Reason.REF_NOT_PERMITTED
    assert f"{ALLOW_ANNOTATION}: {town.front.namespace}" in rejection["message"]
    assert (await town.front.get("MCPServer", "red"))["status"]["rejectedCount"] == 1
    await town.back.told("MCPTool", "search", "Ready", Reason.NOT_SELECTED)
    assert await town.selecting() == []
    degraded = await town.front.condition("MCPServer", "red", "Degraded")
    assert degraded[0] == "False"


async def test_a_tool_joins_with_its_annotation_and_leaves_when_that_is_withdrawn(
    town: Town,
) -> None:
    await town.back.tool("search", "red")
    await server(town)
    await town.rejects("search")
    await town.consent(town.front.namespace)
    await town.serves("search")
    await town.rejects()
    red = f"{town.front.namespace}/red"
    await eventually(town.selecting, [red])
    await town.consent(town.other.namespace)
    await town.serves()
    await town.rejects("search")
    await eventually(town.selecting, [])
    await town.back.told("MCPTool", "search", "Ready", Reason.NOT_SELECTED)


async def test_a_tool_joins_by_a_grant_and_leaves_when_that_is_deleted(town: Town) -> None:
    await town.back.tool("search", "red")
    await town.back.tool("more", "red")
    await server(town)
    await town.rejects("search", "more")
    await town.grant(name="search")
    await town.serves("search")
    await town.rejects("more")
    await eventually(town.selecting, [f"{town.front.namespace}/red"])
    await town.front.client.delete(REFERENCE_GRANTS, town.back.key("front"))
    await town.serves()
    await town.rejects("search", "more")
    await eventually(town.selecting, [])


async def test_consent_alone_makes_no_server_take_a_tool(town: Town) -> None:
    await town.back.tool("search", "red")
    await town.consent("*")
    await town.front.tool("own", "red")
    await town.front.server("red")
    await town.serves("own")
    await town.operator.idle()
    await town.serves("own")
    assert await town.selecting() == []


async def test_a_namespace_is_taken_by_its_labels_while_it_has_them(town: Town) -> None:
    await town.back.tool("search", "red")
    await town.consent("*")
    await server(town, "Selector", selector={"matchLabels": {"tools": "yes"}})
    await town.serves()
    await town.label(town.back, tools="yes")
    await town.serves("search")
    await eventually(town.selecting, [f"{town.front.namespace}/red"])
    await town.label(town.back, tools=None)
    await town.serves()
    await eventually(town.selecting, [])
    await town.rejects()


async def test_a_server_that_takes_no_others_any_more_loses_their_tools(town: Town) -> None:
    await town.back.tool("search", "red")
    await town.consent("*")
    await server(town)
    await town.serves("search")
    await eventually(town.selecting, [f"{town.front.namespace}/red"])
    await town.front.patch("MCPServer", "red", spec={"allowedNamespaces": None})
    await town.serves()
    await eventually(town.selecting, [])


async def test_a_namespace_that_is_no_longer_the_operators_leaves_with_its_tools(
    town: Town,
) -> None:
    await town.back.tool("search", "red")
    await town.consent("*")
    await server(town)
    await town.serves("search")
    await town.label(town.back, town=None)
    await town.serves()
    _, _, accepted = await town.front.condition("MCPServer", "red", "Accepted")
    assert "sees no objects of others" in accepted
    await town.label(town.back, town=town.front.namespace)
    await town.serves("search")


async def test_tools_go_with_their_namespace(town: Town) -> None:
    await town.back.tool("search", "red")
    await town.consent("*")
    await server(town)
    await town.serves("search")
    await town.back.delete("MCPTool", "search")  # as the namespace controller does
    await town.serves()


async def test_a_gateway_may_read_no_secret_of_another_namespace(town: Town) -> None:
    for shop in (town.front, town.back):
        await shop.create("Secret", "token", stringData={"token": "secret"})
    credentials = {"type": "Bearer", "secretRef": {"name": "token", "key": "token"}}
    await town.back.tool("search", "red", request={"credentials": credentials})
    await town.back.tool("open", "red")
    await town.consent("*")
    await town.consent("*", "open")
    await server(town)
    await town.serves("open")
    [rejection] = await town.rejects("search")
    assert "cannot read the Secrets" in rejection["message"]
    role = await town.front.find(ROLES, "mcp-server-red")
    assert role is not None
    named = {name for rule in role["rules"] for name in rule["resourceNames"]}
    assert "token" not in named
    assert await town.back.find(ROLES, "mcp-server-red") is None
    await eventually(functools.partial(refused, town), expected=True)


async def refused(town: Town) -> bool:
    """Return whether the tool's own status says why the server does not serve it."""
    entries = (await town.back.get("MCPTool", "search"))["status"].get("servers", ())
    return [each.get("reason") for each in entries] == [Reason.REF_NOT_PERMITTED]


async def test_of_one_name_in_two_namespaces_the_oldest_is_served_and_both_are_told(
    town: Town,
) -> None:
    await town.back.tool("search", "red", description="of the back")
    await town.consent("*")
    await server(town)
    await eventually(functools.partial(town.front.served, "red"), {"search": "of the back"})
    await town.front.tool("search", "red", description="of the front")
    await town.front.told("MCPTool", "search", "Accepted", Reason.DUPLICATE_NAME)
    await town.consent(None)
    await eventually(functools.partial(town.front.served, "red"), {"search": "of the front"})
    await town.front.told("MCPTool", "search", "Accepted", Reason.ACCEPTED)
