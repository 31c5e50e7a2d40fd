"""Helper functions that build custom resources."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from mcp_operator.core.meta import Object

API_VERSION = "mcp-operator.dev/v1alpha1"
ANCESTOR_GROUPS = ("mcp.k8s.turd.ninja", "kubemcp.io")

_FOLDER = Path(__file__).parent

SERVICE: Object = {"name": "orders", "port": 80}
OPERATION: Object = {"uri": "docs://guide", "service": SERVICE}


def manifest(kind: str, spec: Any, name: str = "example", **metadata: Any) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": copy.deepcopy(spec),
    }


def server(name: str = "example", /, **spec: Any) -> Object:
    return manifest("MCPServer", {"toolSelector": {"matchLabels": {"mcp": "x"}}, **spec}, name)


def tool(name: str = "example", /, **spec: Any) -> Object:
    return manifest("MCPTool", {"name": "search", "service": SERVICE, **spec}, name)


def tools(*entries: Object, **spec: Any) -> Object:
    return manifest("MCPTool", {"service": SERVICE, "tools": list(entries), **spec})


def prompt(name: str = "example", /, **spec: Any) -> Object:
    text = {} if "messages" in spec else {"template": "Review {{diff}}"}
    return manifest("MCPPrompt", {"name": "review", **text, **spec}, name)


def resource(name: str = "example", /, **spec: Any) -> Object:
    return manifest("MCPResource", {"name": "docs", **spec}, name)


def content(**fields: Any) -> Object:
    return resource(content={"uri": "docs://guide", "text": "hello", **fields})


def operation(**fields: Any) -> Object:
    return resource(operations=[{**OPERATION, **fields}])


def without(obj: Object, *names: str) -> Object:
    """Return a copy of an object without some fields of its spec."""
    result = copy.deepcopy(obj)
    for name in names:
        del result["spec"][name]
    return result


def ancestor_manifests() -> list[tuple[str, Object]]:
    """Return the documented manifests of the predecessor, each with a name for the report."""
    return _read(_FOLDER / "ancestor")


def featured_manifests() -> list[tuple[str, Object]]:
    """Return objects that together use every field of every kind."""
    return _read(_FOLDER / "featured")


def defaulted_manifests() -> list[tuple[str, Object]]:
    """Return objects that omit every optional field, especially in lists."""
    return _objects(_FOLDER / "defaulted.yaml")


def _read(folder: Path) -> list[tuple[str, Object]]:
    return [named for path in sorted(folder.glob("*.yaml")) for named in _objects(path)]


def _objects(path: Path) -> list[tuple[str, Object]]:
    return [
        (f"{path.stem}-{obj['kind']}-{obj['metadata']['name']}", obj)
        for obj in yaml.safe_load_all(path.read_text())
    ]


def migrated(obj: Object) -> Object:
    """Change only the API group of a manifest of the predecessor."""
    group, _, version = obj["apiVersion"].partition("/")
    assert group in ANCESTOR_GROUPS
    return {**obj, "apiVersion": f"mcp-operator.dev/{version}"}
