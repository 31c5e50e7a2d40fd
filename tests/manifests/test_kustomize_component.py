"""The component `manifests/kustomize`, with which Kustomize supports the custom resources."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kustomize_component import KUBERNETES, REFERENCES, name_references, reference_fields
from merge_keys import definitions

from mcp_operator.api.crd import DEFINITIONS, object_schema
from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client
from support import kustomize
from support.kustomize import MANIFESTS
from support.manifests import API_VERSION, manifest
from support.provision import UnavailableError
from support.workloads import named

NAMES = {
    "ConfigMap": "conf",
    "Gateway": "gate",
    "PersistentVolumeClaim": "claim",
    "PriorityClass": "first",
    "RuntimeClass": "sandbox",
    "Secret": "sec",
    "Service": "api",
    "ServiceAccount": "account",
}
"""The name of an object of each kind that a field can refer to."""

MANY: Object = manifest(
    "MCPTool",
    {
        "service": {"name": "api", "port": 80},
        "tools": [
            {
                "name": "one",
                "description": "First.",
                "path": "/one",
                "request": {
                    "headers": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "sec"}}}]
                },
            },
            {"name": "two", "description": "Second.", "path": "/two"},
        ],
    },
    "many",
)

Files = Mapping[str, Any]


def built(folder: Path, resources: list[Object], **kustomization: Any) -> list[Object]:
    """Build an overlay with the component, on a base that has a generated ConfigMap."""
    base = {
        "resources": ["all.yaml"],
        "configMapGenerator": [{"name": "conf", "literals": ["a=b"]}],
    }
    component = os.path.relpath(MANIFESTS / "kustomize", folder / "dev")
    overlay = {"resources": ["../base"], "components": [component], **kustomization}
    for name, content in (("base", base), ("dev", overlay)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "kustomization.yaml").write_text(yaml.safe_dump(content), "utf-8")
    (folder / "base" / "all.yaml").write_text(yaml.safe_dump_all(resources), "utf-8")
    try:
        return kustomize.build(folder / "dev")
    except UnavailableError as error:
        pytest.skip(str(error))


def referents() -> list[Object]:
    """Return an object of each kind that a field can refer to, except the ConfigMap."""
    versions = {"Gateway": "gateway.networking.k8s.io/v1", "PriorityClass": "scheduling.k8s.io/v1"}
    versions["RuntimeClass"] = "node.k8s.io/v1"
    return [
        {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": {"name": name}}
        for kind, name in NAMES.items()
        if kind != "ConfigMap"
    ]


def with_references(kind: str) -> Object:
    """Return an object with every field that can refer to another object."""
    [definition] = [one for one in DEFINITIONS if one.resource.kind == kind]
    obj: Object = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "all"}}
    for owner, path in reference_fields():
        if owner == kind:
            schema = object_schema(definition)
            put(obj, schema, path, NAMES[REFERENCES[".".join(path[-2:])]["kind"]])
    return obj


def put(value: Any, schema: Mapping[str, Any], path: tuple[str, ...], name: str) -> None:
    """Set a nested field; lists in its path have one item."""
    for part in path[:-1]:
        schema = schema["properties"][part]
        if schema["type"] == "array":
            schema, value = schema["items"], value.setdefault(part, [{}])[0]
        else:
            value = value.setdefault(part, {})
    value[path[-1]] = name


def at(value: Any, path: tuple[str, ...]) -> str:
    """Return a nested field."""
    for part in path:
        value = value[part][0] if isinstance(value[part], list) else value[part]
    return str(value)


def test_every_reference_follows_the_new_name_of_its_object(tmp_path: Path) -> None:
    kinds = sorted({kind for kind, _ in reference_fields()})
    objects = built(tmp_path, [*referents(), *map(with_references, kinds)], namePrefix="dev-")
    [conf] = [obj["metadata"]["name"] for obj in objects if obj["kind"] == "ConfigMap"]
    assert conf.startswith("dev-conf-")
    found = {
        (kind, path): at(named(objects, kind, "dev-all"), path) for kind, path in reference_fields()
    }
    expected = {kind: f"dev-{name}" for kind, name in NAMES.items()} | {"ConfigMap": conf}
    assert found == {
        (kind, path): expected[REFERENCES[".".join(path[-2:])]["kind"]]
        for kind, path in reference_fields()
    }


def test_every_kind_that_a_reference_can_have_is_tested() -> None:
    assert {one["kind"] for one in name_references()} <= set(NAMES)
    assert {referent["kind"] for referent in REFERENCES.values()} == set(NAMES)


def patch(kind: str, name: str, **spec: Any) -> dict[str, str]:
    metadata = {"name": name}
    content = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    return {"patch": yaml.safe_dump(content)}


def test_a_patch_of_one_item_keeps_the_others(tmp_path: Path) -> None:
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    server = manifest("MCPServer", {"toolSelector": {}, "env": variables}, "shop")
    patches = [
        patch("MCPTool", "many", tools=[{"name": "two", "description": "Changed."}]),
        patch("MCPServer", "shop", env=[{"name": "B", "value": "3"}]),
    ]
    objects = built(tmp_path, [MANY, server], patches=patches)
    tools = {one["name"]: one for one in named(objects, "MCPTool", "many")["spec"]["tools"]}
    assert tools["one"] == MANY["spec"]["tools"][0]
    assert tools["two"] == {**MANY["spec"]["tools"][1], "description": "Changed."}
    env = {one["name"]: one["value"] for one in named(objects, "MCPServer", "shop")["spec"]["env"]}
    assert env == {"A": "1", "B": "3"}


def test_kinds_of_kubernetes_are_still_merged_by_key(tmp_path: Path) -> None:
    containers = [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]
    head: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    deployment = {**head, "spec": {"template": {"spec": {"containers": containers}}}}
    changed = {"template": {"spec": {"containers": [{"name": "b", "image": "b:2"}]}}}
    patches = [{"patch": yaml.safe_dump({**head, "spec": changed})}]
    objects = built(tmp_path, [deployment], patches=patches)
    found = named(objects, "Deployment", "d")["spec"]["template"]["spec"]["containers"]
    assert {one["name"]: one["image"] for one in found} == {"a": "a:1", "b": "b:2"}


def test_cluster_scoped_objects_get_no_namespace(tmp_path: Path) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    objects = built(tmp_path, [{**role, "metadata": {"name": "r"}}, MANY], namespace="dev")
    assert "namespace" not in named(objects, "ClusterRole", "r")["metadata"]
    assert named(objects, "MCPTool", "many")["metadata"]["namespace"] == "dev"


async def test_the_merge_keys_of_kubernetes_equal_those_of_the_api_server(client: Client) -> None:
    found = definitions(json.loads(await client.request("GET", "/openapi/v2")))
    known = json.loads((MANIFESTS.parent / KUBERNETES).read_text("utf-8"))
    assert "io.k8s.api.apps.v1.Deployment" in found
    assert {name: found[name] for name in known if name in found} == known


def test_images_replicas_and_labels_reach_the_pods_of_a_server(tmp_path: Path) -> None:
    beside = [{"name": "exporter", "image": "registry.example.com/exporter:1"}]
    spec = {
        "toolSelector": {"matchLabels": {"team": "a"}},
        "image": "registry.example.com/own:1",
        "podTemplate": {"containers": beside},
    }
    objects = built(
        tmp_path,
        [manifest("MCPServer", spec, "shop")],
        images=[
            {"name": "registry.example.com/own", "newTag": "2"},
            {"name": "registry.example.com/exporter", "newName": "mirror.example.com/exporter"},
        ],
        replicas=[{"name": "shop", "count": 3}],
        labels=[{"pairs": {"env": "dev"}, "includeTemplates": True}],
        commonAnnotations={"owner": "shop-team"},
    )
    found = named(objects, "MCPServer", "shop")["spec"]
    assert found["image"] == "registry.example.com/own:2"
    assert found["replicas"] == 3
    assert found["podTemplate"]["containers"][0]["image"] == "mirror.example.com/exporter:1"
    assert found["podTemplate"]["metadata"]["labels"] == {"env": "dev"}
    assert found["podTemplate"]["metadata"]["annotations"] == {"owner": "shop-team"}
    assert found["toolSelector"] == {"matchLabels": {"team": "a"}}
