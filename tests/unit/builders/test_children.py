from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mcp_operator.api.catalog import Catalog, ServerSettings
from mcp_operator.api.shards import EncodedCatalog, Index, decode, encode
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.children import Child, build_children
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.labels import managed_selector
from mcp_operator.builders.resources import CHILDREN
from mcp_operator.builders.server_catalog import ServerCatalog
from mcp_operator.core.meta import LabelSelector
from support.servers import server

CONTEXT = BuildContext(gateway_image="registry.example/mcp-operator:1")
ENV = [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]
PLAIN = ClusterFacts()
SETTINGS = ServerSettings(namespace="demo", name="shop")
EMPTY = Assembly(Catalog(server=SETTINGS), fully_served=(), rejected=(), secrets=frozenset())
EVERYTHING: dict[str, Any] = {
    "ingress": {},
    "httpRoute": {"parentRefs": [{"name": "public"}]},
    "autoscaling": {"maxReplicas": 3, "behavior": {"scaleUp": {}}},
    "networkPolicy": {"mode": "Full", "extraEgress": [{"ports": [{"port": 5432}]}]},
}
FILES = {"tools.json": "[]", "prompts.json": "[]", "resources.json": "[]"}


def catalog(instructions: str = "", shard_bytes: int = 900 * 1024) -> EncodedCatalog:
    settings = SETTINGS.model_copy(update={"instructions": instructions})
    return encode(Catalog(server=settings), shard_bytes)


def built(
    owner: MCPServer,
    content: EncodedCatalog | dict[str, str] | None = None,
    facts: ClusterFacts = PLAIN,
) -> list[Child]:
    if isinstance(content, dict):
        of_files = ServerCatalog((), EMPTY, "0" * 64, 0, files=content)
        return build_children(owner, of_files, CONTEXT, facts)
    encoded = content or catalog()
    index = encoded.index
    of_shards = ServerCatalog((), EMPTY, index.digest, index.bytes, encoded)
    return build_children(owner, of_shards, CONTEXT, facts)


def names(children: list[Child]) -> list[str]:
    return [f"{child.object['kind']}/{child.object['metadata']['name']}" for child in children]


def only(children: list[Child], kind: str) -> dict[str, Any]:
    (found,) = [child.object for child in children if child.object["kind"] == kind]
    return found


def test_children_of_a_gateway_are_ordered_permissions_then_catalog_then_pods() -> None:
    assert names(built(server(**EVERYTHING))) == [
        "ServiceAccount/mcp-server-shop",
        "NetworkPolicy/mcp-server-shop",
        "Role/mcp-server-shop",
        "RoleBinding/mcp-server-shop",
        "ConfigMap/mcp-server-shop-config",
        "Deployment/mcp-server-shop",
        "HorizontalPodAutoscaler/mcp-server-shop",
        "PodDisruptionBudget/mcp-server-shop",
        "Service/mcp-server-shop",
        "Ingress/mcp-server-shop",
        "HTTPRoute/mcp-server-shop",
    ]


def test_optional_children_are_not_built_by_default() -> None:
    assert names(built(server())) == [
        "ServiceAccount/mcp-server-shop",
        "Role/mcp-server-shop",
        "RoleBinding/mcp-server-shop",
        "ConfigMap/mcp-server-shop-config",
        "Deployment/mcp-server-shop",
        "Service/mcp-server-shop",
    ]


def test_an_http_route_is_built_only_if_the_cluster_has_the_gateway_api() -> None:
    children = built(server(**EVERYTHING), facts=ClusterFacts(has_gateway_api=False))

    assert "HTTPRoute/mcp-server-shop" not in names(children)
    assert len(children) == len(built(server(**EVERYTHING))) - 1


def test_a_direct_server_has_a_config_map_with_its_files_and_no_permissions() -> None:
    children = built(server(image="example/server:1"), FILES)

    assert names(children) == [
        "ServiceAccount/mcp-server-shop",
        "ConfigMap/mcp-server-shop-config",
        "Deployment/mcp-server-shop",
        "Service/mcp-server-shop",
    ]
    assert only(children, "ConfigMap")["data"] == FILES


def test_the_index_is_applied_after_its_shards() -> None:
    content = catalog("x" * 10, shard_bytes=40)
    assert len(content.shards) > 2

    maps = [name for name in names(built(server(), content)) if name.startswith("ConfigMap")]

    assert maps[:2] == ["ConfigMap/mcp-server-shop-config-1", "ConfigMap/mcp-server-shop-config-2"]
    assert maps[-1] == "ConfigMap/mcp-server-shop-config"


def test_the_config_maps_decode_to_the_same_catalog() -> None:
    content = catalog("Sells things.", shard_bytes=64)
    maps = {
        child.object["metadata"]["name"]: child.object
        for child in built(server(), content)
        if child.object["kind"] == "ConfigMap"
    }
    first = "mcp-server-shop-config"
    index = Index.model_validate_json(maps[first]["data"]["index.json"])
    ordered = [first, *(f"{first}-{number}" for number in range(1, len(index.shards)))]
    shards = [base64.b64decode(maps[name]["binaryData"]["catalog.gz"]) for name in ordered]

    assert decode(index, shards).server.instructions == "Sells things."


def test_a_change_of_the_catalog_changes_only_its_config_map() -> None:
    before, after = built(server(), catalog("old")), built(server(), catalog("new"))

    changed = [new.object["kind"] for old, new in zip(before, after, strict=True) if old != new]
    assert changed == ["ConfigMap"]


def test_equal_input_builds_equal_children() -> None:
    def dump() -> str:
        return json.dumps([child.object for child in built(server(env=ENV), catalog())])

    assert dump() == dump()


@pytest.mark.parametrize(
    ("spec", "content"), [(EVERYTHING, None), ({"image": "example/server:1"}, FILES)]
)
def test_every_child_has_labels_and_an_owner_and_is_of_a_watched_resource(
    spec: dict[str, Any], content: dict[str, str] | None
) -> None:
    for resource, obj in built(server(**spec), content):
        assert resource in CHILDREN
        assert (obj["apiVersion"], obj["kind"]) == (resource.api_version, resource.kind)
        metadata = obj["metadata"]
        assert metadata["namespace"] == "demo"
        assert metadata["labels"]["mcp-operator.dev/server"] == "shop"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "mcp-operator"
        assert metadata["ownerReferences"] == [
            {
                "apiVersion": "mcp-operator.dev/v1alpha1",
                "kind": "MCPServer",
                "name": "shop",
                "uid": "uid-of-shop",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]


def test_the_selector_of_managed_children_matches_every_child() -> None:
    selector = LabelSelector(dict(pair.split("=") for pair in managed_selector().split(",")))

    assert all(selector.matches(child.object["metadata"]["labels"]) for child in built(server()))


def test_the_longest_allowed_server_name_results_in_valid_names() -> None:
    longest = "s" * 52
    for child in built(server(longest, **EVERYTHING), catalog("x", shard_bytes=40)):
        limit = 253 if child.object["kind"] == "ConfigMap" else 63
        assert len(child.object["metadata"]["name"]) <= limit
        assert all(len(value) <= 63 for value in child.object["metadata"]["labels"].values())


def test_no_child_has_empty_fields_which_the_api_server_would_drop() -> None:
    def empties(value: Any, path: str) -> list[str]:
        if isinstance(value, dict):
            return [e for key, item in value.items() for e in empties(item, f"{path}.{key}")] or (
                # An empty selector selects everything, and is kept.
                [] if value or path.endswith("Selector") else [path]
            )
        if isinstance(value, list):
            return [e for item in value for e in empties(item, f"{path}[]")] or (
                [] if value else [path]
            )
        return [path] if value == "" and not path.endswith("apiGroups[]") else []

    env = [{"name": "EMPTY", "value": ""}]
    for spec, content in (({}, None), ({"image": "example/server:1"}, FILES)):
        for child in built(server(env=env, resources={}, **EVERYTHING, **spec), content):
            assert empties(child.object, child.object["kind"]) == []
