"""Which fields of an object a manager owns, as paths into that object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mcp_operator.core.meta import Object

Path = tuple[str | int, ...]


def owned_leaves(obj: Object, manager: str) -> dict[Path, Any]:
    """Return the scalar fields that a manager has applied, with their values.

    The keys of list items are left out: another key makes another item, which is not the manager's.

    Args:
        obj: The object with its `managedFields`, as the API server sent it.
        manager: The field manager.
    """
    leaves: dict[Path, Any] = {}
    for entry in obj["metadata"]["managedFields"]:
        if entry["manager"] == manager and entry["operation"] == "Apply":
            leaves |= dict(_walk(entry["fieldsV1"], obj, ()))
    return leaves


def pointer(path: Path) -> str:
    """Return a path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def at(obj: Any, path: Path) -> Any:
    """Return what stands at a path; None where nothing does."""
    for step in path:
        try:
            obj = obj[step]
        except (KeyError, IndexError, TypeError):
            return None
    return obj


def _walk(fields: Object, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Follow a FieldsV1: `f:` a field, `k:` an item of a list by its keys, `.` the node itself."""
    below = {name: child for name, child in fields.items() if name != "."}
    if not fields:
        yield from _scalars(value, path)
    for name, child in below.items():
        kind, _, rest = name.partition(":")
        if kind == "f":
            yield from _walk(child, value[rest], (*path, rest))
        elif kind == "k":
            keys = json.loads(rest).items()
            index = next(i for i, item in enumerate(value) if keys <= item.items())
            rest_of_it = {name: one for name, one in child.items() if name[2:] not in dict(keys)}
            yield from _walk(rest_of_it, value[index], (*path, index))


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what an atomic field contains."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _scalars(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _scalars(child, (*path, index))
    else:
        yield path, value
