"""The namespaces from which a server selects objects, when the operator watches only some."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.controllers.parsing import ParsedServer
from mcp_operator.core.meta import Object, key_of
from mcp_operator.runtime.scope import Scope
from support.cached_cluster import CachedCluster

NAMED = Scope(("demo", "back"))
LABELLED = Scope(selector="mcp=yes")
BY_NAME = {"matchLabels": {"kubernetes.io/metadata.name": "back"}}
BY_LABEL = {"matchLabels": {"tools": "yes"}}
UNLESS_LABELLED = {"matchExpressions": [{"key": "untrusted", "operator": "DoesNotExist"}]}
UNLESS_NAMED = {
    "matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["other"]}
    ]
}


def server(cluster: CachedCluster, mode: str, **allowed: Any) -> ParsedServer:
    raw = cluster.server("red", allowedNamespaces={"from": mode, **allowed})
    return cluster.cache.parser.server(raw)


def tool(cluster: CachedCluster) -> Object:
    """Add a tool in the second of the named namespaces."""
    metadata = {"name": "search", "namespace": "back", "uid": "1", "labels": {"team": "shop"}}
    spec = {"name": "search", "service": {"name": "orders", "port": 80}}
    obj = {"apiVersion": "mcp-operator.dev/v1alpha1", "kind": "MCPTool", "metadata": metadata}
    cluster.cache.catalog_objects["MCPTool"].feeds[-1].processor.upsert({**obj, "spec": spec})
    return {**obj, "spec": spec}


def wanted(cluster: CachedCluster, parsed: ParsedServer) -> list[str]:
    return [str(key_of(obj)) for obj in cluster.cache.wanted(parsed, "MCPTool")]


@pytest.mark.parametrize(
    ("mode", "allowed", "taken"),
    [
        ("Same", {}, []),
        ("All", {}, ["back/search"]),
        ("Selector", {"selector": BY_NAME}, ["back/search"]),
        ("Selector", {"selector": BY_LABEL}, []),
        ("Selector", {"selector": UNLESS_LABELLED}, []),
        ("Selector", {"selector": UNLESS_NAMED}, ["back/search"]),
        ("Selector", {"selector": {}}, ["back/search"]),
    ],
)
def test_with_named_namespaces_a_selector_sees_only_their_names(
    mode: str, allowed: Object, taken: list[str]
) -> None:
    cluster = CachedCluster(NAMED)
    obj = tool(cluster)
    parsed = server(cluster, mode, **allowed)
    assert wanted(cluster, parsed) == taken
    found = [each.key.name for each in cluster.cache.servers_wanting("MCPTool", obj)]
    assert found == ["red"] * len(taken)


def test_a_server_that_allows_namespaces_that_are_not_watched_gets_a_message() -> None:
    cluster = CachedCluster(NAMED)
    assert cluster.cache.unseen(server(cluster, "Same")) == ""
    assert cluster.cache.unseen(server(cluster, "All")) == (
        "spec.allowedNamespaces: the operator works in the namespaces demo, back only, and sees no "
        "objects of others"
    )
    assert cluster.cache.unseen(server(cluster, "Selector", selector=BY_LABEL)).endswith(
        "of others and no label of a namespace but kubernetes.io/metadata.name"
    )


def test_with_namespaces_selected_by_label_the_message_names_the_selector() -> None:
    cluster = CachedCluster(LABELLED)
    said = cluster.cache.unseen(server(cluster, "Selector", selector=BY_LABEL))
    assert said.endswith("works in the namespaces with mcp=yes only, and sees no objects of others")


def test_an_operator_of_all_namespaces_has_no_message() -> None:
    cluster = CachedCluster()
    assert cluster.cache.unseen(server(cluster, "All")) == ""


def test_the_grants_of_a_namespace_are_read_once_for_all_of_its_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = CachedCluster()
    for name in ("one", "two", "three"):
        metadata = {"namespace": "back", "labels": {"team": "shop"}}
        cluster.put("MCPTool", name, metadata=metadata, spec={"name": name})
    given = {"group": "mcp-operator.dev", "kind": "MCPServer", "namespace": "demo"}
    leads = {"group": "mcp-operator.dev", "kind": "MCPTool", "name": "two"}
    metadata = {"namespace": "back"}
    cluster.put("ReferenceGrant", "grant", metadata=metadata, spec={"from": [given], "to": [leads]})
    grants, read = cluster.cache.grants.store, list[str]()
    every = grants.list

    def recorded(namespace: str) -> list[Object]:
        read.append(namespace)
        return every(namespace)

    monkeypatch.setattr(grants, "list", recorded)
    found = cluster.cache.selected(server(cluster, "All"), "MCPTool")
    assert [str(key_of(obj)) for obj in found] == ["back/two"]
    assert read == ["back"]
