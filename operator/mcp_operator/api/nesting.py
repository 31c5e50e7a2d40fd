"""How deep JSON values are nested.

What reads and writes JSON recurses, and each library ends at a depth of its own: a value that one
takes, and the next refuses, would be in everybody's way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

MAX_DEPTH: Final = 64
"""Levels of objects and lists in a value of the user's; MCP asks servers to bound the depth of
schemas. Together with what is around it, it stays below the 200 that pydantic's parser takes."""


def children(node: Any) -> Iterable[Any]:
    """Return what a JSON value holds."""
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def place_beyond(value: Any, depth: int = MAX_DEPTH) -> str | None:
    """Return the place of an object or list that is nested deeper, if there is one.

    Returns:
        A JSON pointer in a URI fragment (RFC 6901, section 6).
    """
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        level = [
            child for node in level for child in children(node) if isinstance(child, dict | list)
        ]
    return _place_at(value, depth) if level else None


def pointer_part(name: str) -> str:
    """Return a name as it stands in a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _place_at(value: Any, depth: int) -> str:
    """Return the place of the first object or list that stands so deep."""
    pending: list[tuple[int, str, Any]] = [(0, "#", value)]
    while pending:
        level, place, node = pending.pop()
        if level == depth:
            return place
        named = node.items() if isinstance(node, dict) else enumerate(node)
        pending += [
            (level + 1, f"{place}/{pointer_part(str(name))}", child)
            for name, child in named
            if isinstance(child, dict | list)
        ]
    raise AssertionError("something stands so deep")
