"""Finds objects and containers in built manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcp_operator.core.meta import Object


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """Return the objects of some kinds."""
    return [obj for obj in objects if obj["kind"] in kinds]


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """Return the one object of a kind and name."""
    [found] = [obj for obj in of_kind(objects, kind) if obj["metadata"]["name"] == name]
    return found


def containers(objects: Iterable[Object]) -> Iterator[tuple[str, Object]]:
    """Yield every container of every Deployment, each with a name for failure messages."""
    for deployment in of_kind(objects, "Deployment"):
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            yield f"{deployment['metadata']['name']}/{container['name']}", container


def environment(container: Object) -> dict[str, str | None]:
    """Return the variables of a container; None for a value from another source."""
    return {one["name"]: one.get("value") for one in container.get("env", ())}
