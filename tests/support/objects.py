"""Small objects for tests of the runtime."""

from __future__ import annotations

from typing import Any

from mcp_operator.core.meta import Object, Resource

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


def config_map(
    name: str = "a",
    version: int = 0,
    *,
    uid: str = "",
    namespace: str = "demo",
    labels: dict[str, str] | None = None,
    **data: str,
) -> Object:
    """Return a ConfigMap; by default, its uid is derived from its name; version 0 is omitted."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}"}
    if version:
        metadata["resourceVersion"] = str(version)
    if labels is not None:
        metadata["labels"] = labels
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return obj | ({"data": data} if data else {})


def bookmark(version: int, *, ends_list: bool = False) -> Object:
    """Return the object of a BOOKMARK."""
    metadata: Object = {"resourceVersion": str(version)}
    if ends_list:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
