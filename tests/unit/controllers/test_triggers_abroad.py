"""Changes enqueue the affected objects of other namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.core.meta import Object
from support.queues import Queues

OTHER = {"matchLabels": {"team": "other"}}
BACK: dict[str, Any] = {"namespace": "back", "labels": {"team": "shop"}}
CONSENTING: dict[str, Any] = {**BACK, "annotations": {"mcp-operator.dev/allow-from": "demo"}}


def tool_of_back(queues: Queues, name: str = "search", **metadata: Any) -> Object:
    spec = {"name": name, "service": {"name": "orders", "port": 80}}
    return queues.cluster.put("MCPTool", name, metadata={**BACK, **metadata}, spec=spec)


def grant_of_back(queues: Queues) -> Object:
    metadata = {"namespace": "back"}
    return queues.cluster.put("ReferenceGrant", "grant", metadata=metadata, spec={})


SHOP, BAR = ("MCPServer", "shop"), ("MCPServer", "bar")
SEARCH, RIVAL = ("MCPTool", "search"), ("MCPTool", "rival")


@pytest.fixture
async def queues() -> Queues:
    return Queues()


async def test_an_object_enqueues_servers_of_other_namespaces_only_if_they_select_it(
    queues: Queues,
) -> None:
    queues.cluster.server("shop")
    queues.cluster.server("bar", allowedNamespaces={"from": "All"})
    queues.cluster.server("other", allowedNamespaces={"from": "All"}, toolSelector=OTHER)
    await queues.taken()
    tool_of_back(queues)
    assert await queues.taken() == {BAR, SEARCH}


async def test_a_changed_allow_annotation_enqueues_the_servers_that_select_the_object(
    queues: Queues,
) -> None:
    queues.cluster.server("shop")
    queues.cluster.server("bar", allowedNamespaces={"from": "All"})
    tool_of_back(queues)
    await queues.taken()
    tool_of_back(queues, **CONSENTING)
    assert await queues.taken() == {BAR, SEARCH}
    tool_of_back(queues, annotations={"mcp-operator.dev/allow-from": "nobody"})
    assert await queues.taken() == {BAR, SEARCH}
    tool_of_back(queues, annotations={"mcp-operator.dev/allow-from": "nobody", "other": "x"})
    assert await queues.taken() == {SEARCH}


async def test_a_grant_enqueues_the_objects_that_servers_of_other_namespaces_select(
    queues: Queues,
) -> None:
    queues.cluster.server("shop")
    queues.cluster.server("bar", allowedNamespaces={"from": "All"})
    tool_of_back(queues)
    tool_of_back(queues, "rival", labels={"team": "other"})
    await queues.taken()
    grant_of_back(queues)
    assert await queues.taken() == {BAR, SEARCH}
    queues.cluster.remove("ReferenceGrant", "grant", "back")
    assert await queues.taken() == {BAR, SEARCH}


async def test_changed_labels_of_a_namespace_enqueue_the_servers_that_gain_or_lose_it(
    queues: Queues,
) -> None:
    queues.cluster.namespace("back")
    selector = {"matchLabels": {"tools": "yes"}}
    queues.cluster.server("shop", allowedNamespaces={"from": "All"})
    queues.cluster.server("bar", allowedNamespaces={"from": "Selector", "selector": selector})
    tool_of_back(queues, **CONSENTING)
    tool_of_back(queues, "rival", labels={"team": "other"})
    await queues.taken()
    queues.cluster.namespace("back", tools="no")
    assert await queues.taken() == set()
    queues.cluster.namespace("back", tools="yes")
    assert await queues.taken() == {BAR, SEARCH}
    queues.cluster.namespace("back", tools="yes", more="labels")
    assert await queues.taken() == set()
    queues.cluster.namespace("back")
    assert await queues.taken() == {BAR, SEARCH}


async def test_an_object_enqueues_no_server_before_the_labels_of_its_namespace_are_known(
    queues: Queues,
) -> None:
    selector = {"matchExpressions": [{"key": "untrusted", "operator": "DoesNotExist"}]}
    queues.cluster.server("bar", allowedNamespaces={"from": "Selector", "selector": selector})
    await queues.taken()
    tool_of_back(queues, **CONSENTING)
    assert await queues.taken() == {SEARCH}
    queues.cluster.namespace("back", untrusted="yes")
    assert await queues.taken() == set()
    queues.cluster.namespace("back")
    assert await queues.taken() == {BAR, SEARCH}


async def test_a_deleted_namespace_enqueues_the_servers_that_selected_it(queues: Queues) -> None:
    queues.cluster.namespace("back", tools="yes")
    selector = {"matchLabels": {"tools": "yes"}}
    queues.cluster.server("bar", allowedNamespaces={"from": "Selector", "selector": selector})
    await queues.taken()
    queues.cluster.remove("Namespace", "back", "")
    assert await queues.taken() == {BAR}


async def test_a_server_that_changes_its_namespaces_enqueues_old_and_new_objects(
    queues: Queues,
) -> None:
    tool_of_back(queues, **CONSENTING)
    queues.cluster.server("bar")
    await queues.taken()
    queues.cluster.server("bar", allowedNamespaces={"from": "All"})
    assert await queues.taken() == {BAR, SEARCH}
    queues.cluster.server("bar", allowedNamespaces={"from": "Same"})
    assert await queues.taken() == {BAR, SEARCH}


async def test_a_rival_of_another_namespace_is_enqueued_only_if_one_server_selects_both(
    queues: Queues,
) -> None:
    queues.cluster.tool("rival", name="search")
    queues.cluster.server("shop")
    await queues.taken()
    tool_of_back(queues, **CONSENTING)
    assert await queues.taken() == {SEARCH}
    queues.cluster.server("bar", allowedNamespaces={"from": "All"})
    await queues.taken()
    queues.cluster.remove("MCPTool", "search", "back")
    assert await queues.taken() == {BAR, SEARCH, RIVAL}
