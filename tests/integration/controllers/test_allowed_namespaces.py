"""Servers that select tools of other namespaces, and tools that allow it or do not."""

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


class Namespaces(NamedTuple):
    """A namespace with servers, one with tools, and a third; one operator watches all three."""

    front: Shop
    back: Shop
    other: Shop
    operator: Operator

    async def consent(self, value: str | None, name: str = "search") -> None:
        """Annotate a tool with the namespaces that may serve it."""
        await self.back.patch("MCPTool", name, metadata={"annotations": {ALLOW_ANNOTATION: value}})

    async def grant(self, **to: str) -> None:
        """Create a ReferenceGrant that lets servers in `front` serve tools in `back`."""
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
        """Wait until the server in `front` serves exactly these tools."""

        async def names() -> set[str]:
            return set(await self.front.served("red") or ())

        await eventually(names, set(tools))

    async def rejects(self, *names: str) -> list[Object]:
        """Wait until the server's status rejects exactly these tools of `back`."""

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
async def namespaces(
    control_plane: Cluster, client: Client, crds_installed: None
) -> AsyncIterator[Namespaces]:
    await gateway_api.install_grants(client)
    async with AsyncExitStack() as stack:
        shops = [await stack.enter_async_context(own_namespace(client)) for _ in range(3)]
        # Of objects that are created in the same second, the first namespace in the alphabet wins.
        back, front, other = sorted(shops, key=lambda shop: shop.namespace)
        name = front.namespace
        for shop in shops:
            change = {"metadata": {"labels": {"watched-by": name}}}
            await client.merge_patch(NAMESPACES, Key("", shop.namespace), change)
            await shop.service()
        operator = await stack.enter_async_context(
            running_operator(
                control_plane.kubeconfig, "", scope=Scope(selector=f"watched-by={name}")
            )
        )
        yield Namespaces(front, back, other, operator)


async def server(namespaces: Namespaces, mode: str = "All", **allowed: Any) -> None:
    """Create a server in `front` that selects tools of other namespaces."""
    await namespaces.front.server("red", allowedNamespaces={"from": mode, **allowed})


async def test_a_tool_without_consent_is_rejected_in_the_status_of_the_server_alone(
    namespaces: Namespaces,
) -> None:
    await namespaces.back.tool("search", "red")
    await namespaces.front.tool("own", "red")
    await server(namespaces)
    await namespaces.serves("own")
    [rejection] = await namespaces.rejects("search")
    assert rejection["reason"] == Reason.REF_NOT_PERMITTED
    assert f"{ALLOW_ANNOTATION}: {namespaces.front.namespace}" in rejection["message"]
    assert (await namespaces.front.get("MCPServer", "red"))["status"]["rejectedCount"] == 1
    await namespaces.back.wait_for_reason("MCPTool", "search", "Ready", Reason.NOT_SELECTED)
    assert await namespaces.selecting() == []
    degraded = await namespaces.front.condition("MCPServer", "red", "Degraded")
    assert degraded[0] == "False"


async def test_a_tool_is_served_while_its_annotation_allows_the_namespace_of_the_server(
    namespaces: Namespaces,
) -> None:
    await namespaces.back.tool("search", "red")
    await server(namespaces)
    await namespaces.rejects("search")
    await namespaces.consent(namespaces.front.namespace)
    await namespaces.serves("search")
    await namespaces.rejects()
    red = f"{namespaces.front.namespace}/red"
    await eventually(namespaces.selecting, [red])
    await namespaces.consent(namespaces.other.namespace)
    await namespaces.serves()
    await namespaces.rejects("search")
    await eventually(namespaces.selecting, [])
    await namespaces.back.wait_for_reason("MCPTool", "search", "Ready", Reason.NOT_SELECTED)


async def test_a_tool_is_served_while_a_reference_grant_names_it(namespaces: Namespaces) -> None:
    await namespaces.back.tool("search", "red")
    await namespaces.back.tool("more", "red")
    await server(namespaces)
    await namespaces.rejects("search", "more")
    await namespaces.grant(name="search")
    await namespaces.serves("search")
    await namespaces.rejects("more")
    await eventually(namespaces.selecting, [f"{namespaces.front.namespace}/red"])
    await namespaces.front.client.delete(REFERENCE_GRANTS, namespaces.back.key("front"))
    await namespaces.serves()
    await namespaces.rejects("search", "more")
    await eventually(namespaces.selecting, [])


async def test_consent_does_not_make_a_server_select_a_tool_of_another_namespace(
    namespaces: Namespaces,
) -> None:
    await namespaces.back.tool("search", "red")
    await namespaces.consent("*")
    await namespaces.front.tool("own", "red")
    await namespaces.front.server("red")
    await namespaces.serves("own")
    await namespaces.operator.idle()
    await namespaces.serves("own")
    assert await namespaces.selecting() == []


async def test_tools_are_selected_while_their_namespace_has_the_labels(
    namespaces: Namespaces,
) -> None:
    await namespaces.back.tool("search", "red")
    await namespaces.consent("*")
    await server(namespaces, "Selector", selector={"matchLabels": {"tools": "yes"}})
    await namespaces.serves()
    await namespaces.label(namespaces.back, tools="yes")
    await namespaces.serves("search")
    await eventually(namespaces.selecting, [f"{namespaces.front.namespace}/red"])
    await namespaces.label(namespaces.back, tools=None)
    await namespaces.serves()
    await eventually(namespaces.selecting, [])
    await namespaces.rejects()


async def test_removing_allowed_namespaces_removes_the_tools_of_other_namespaces(
    namespaces: Namespaces,
) -> None:
    await namespaces.back.tool("search", "red")
    await namespaces.consent("*")
    await server(namespaces)
    await namespaces.serves("search")
    await eventually(namespaces.selecting, [f"{namespaces.front.namespace}/red"])
    await namespaces.front.patch("MCPServer", "red", spec={"allowedNamespaces": None})
    await namespaces.serves()
    await eventually(namespaces.selecting, [])


async def test_tools_are_removed_when_the_operator_no_longer_watches_their_namespace(
    namespaces: Namespaces,
) -> None:
    await namespaces.back.tool("search", "red")
    await namespaces.consent("*")
    await server(namespaces)
    await namespaces.serves("search")
    await namespaces.label(namespaces.back, **{"watched-by": None})
    await namespaces.serves()
    _, _, accepted = await namespaces.front.condition("MCPServer", "red", "Accepted")
    assert "sees no objects of others" in accepted
    await namespaces.label(namespaces.back, **{"watched-by": namespaces.front.namespace})
    await namespaces.serves("search")


async def test_a_deleted_tool_of_another_namespace_is_removed(namespaces: Namespaces) -> None:
    await namespaces.back.tool("search", "red")
    await namespaces.consent("*")
    await server(namespaces)
    await namespaces.serves("search")
    await namespaces.back.delete("MCPTool", "search")
    await namespaces.serves()


async def test_a_tool_of_another_namespace_that_needs_a_secret_is_rejected(
    namespaces: Namespaces,
) -> None:
    for shop in (namespaces.front, namespaces.back):
        await shop.create("Secret", "token", stringData={"token": "secret"})
    credentials = {"type": "Bearer", "secretRef": {"name": "token", "key": "token"}}
    await namespaces.back.tool("search", "red", request={"credentials": credentials})
    await namespaces.back.tool("open", "red")
    await namespaces.consent("*")
    await namespaces.consent("*", "open")
    await server(namespaces)
    await namespaces.serves("open")
    [rejection] = await namespaces.rejects("search")
    assert "cannot read the Secrets" in rejection["message"]
    role = await namespaces.front.find(ROLES, "mcp-server-red")
    assert role is not None
    named = {name for rule in role["rules"] for name in rule["resourceNames"]}
    assert "token" not in named
    assert await namespaces.back.find(ROLES, "mcp-server-red") is None
    await eventually(functools.partial(refused, namespaces), expected=True)


async def refused(namespaces: Namespaces) -> bool:
    """Return whether the tool's own status says why the server does not serve it."""
    entries = (await namespaces.back.get("MCPTool", "search"))["status"].get("servers", ())
    return [each.get("reason") for each in entries] == [Reason.REF_NOT_PERMITTED]


async def test_of_two_tools_with_one_name_in_two_namespaces_the_oldest_is_served(
    namespaces: Namespaces,
) -> None:
    await namespaces.back.tool("search", "red", description="of the back")
    await namespaces.consent("*")
    await server(namespaces)
    await eventually(functools.partial(namespaces.front.served, "red"), {"search": "of the back"})
    await namespaces.front.tool("search", "red", description="of the front")
    await namespaces.front.wait_for_reason("MCPTool", "search", "Accepted", Reason.DUPLICATE_NAME)
    await namespaces.consent(None)
    await eventually(functools.partial(namespaces.front.served, "red"), {"search": "of the front"})
    await namespaces.front.wait_for_reason("MCPTool", "search", "Accepted", Reason.ACCEPTED)
