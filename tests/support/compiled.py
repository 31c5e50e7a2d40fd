"""Compiles objects of the namespace `demo`, which has one Service, `orders`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_operator.api.v1alpha1 import MCPPrompt, MCPResource, MCPTool
from mcp_operator.builders.references import Facts
from mcp_operator.core.meta import Key
from support.manifests import manifest

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"namespace": "demo", "name": "orders"},
    "spec": {"ports": [{"name": "http", "port": 80}]},
}
TO_ORDERS: dict[str, Any] = {"name": "orders", "port": 80}


def facts(
    *,
    secrets: Mapping[str, set[str]] | None = None,
    config_maps: Mapping[str, Mapping[str, str | bytes]] | None = None,
) -> Facts:
    """Return the facts about `demo`: the Service, and the given Secrets and ConfigMaps."""
    return Facts(
        services={Key("demo", "orders"): SERVICE},
        secrets={Key("demo", name): frozenset(keys) for name, keys in (secrets or {}).items()},
        config_maps={Key("demo", name): held for name, held in (config_maps or {}).items()},
    )


def tool(**spec: Any) -> MCPTool:
    """Return an MCPTool `example` with one tool, by default named `search`."""
    given = {"service": TO_ORDERS} | ({} if "tools" in spec else {"name": "search"}) | spec
    return MCPTool.model_validate(_stored("MCPTool", given))


def prompt(**spec: Any) -> MCPPrompt:
    """Return an MCPPrompt `example`, whose prompt is named `review`."""
    return MCPPrompt.model_validate(_stored("MCPPrompt", {"name": "review"} | spec))


def resource(**spec: Any) -> MCPResource:
    """Return an MCPResource `example`, whose resource is named `docs`."""
    return MCPResource.model_validate(_stored("MCPResource", {"name": "docs"} | spec))


def operation(path: str = "/", **fields: Any) -> MCPResource:
    """Return an MCPResource of one HTTP operation."""
    return resource(operations=[{"service": TO_ORDERS | {"path": path}} | fields])


def _stored(kind: str, spec: Any) -> dict[str, Any]:
    return manifest(
        kind, spec, namespace="demo", uid="uid-1", creationTimestamp="2026-01-01T00:00:00Z"
    )
