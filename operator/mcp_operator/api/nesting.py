"""How deep JSON values are nested.

Libraries that read and write JSON recurse, and each has its own depth limit. One lower limit for
all avoids values that one library accepts and the next rejects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

MAX_DEPTH: Final = 64
"""Levels of objects and lists in a user's value; MCP asks servers to limit the depth of schemas.
With the objects around the value, it stays below the 200 levels of pydantic's parser."""


def children(node: Any) -> Iterable[Any]:
    """Return the values in an object or list."""
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def place_beyond(value: Any, depth: int = MAX_DEPTH) -> str | None:
    """Return the place of an object or list that is nested deeper than `depth`, if there is one.

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
    """Escape a name for a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def pointer_name(part: str) -> str:
    """Return the name that a part of a JSON pointer stands for (RFC 6901)."""
    return part.replace("~1", "/").replace("~0", "~")


def _place_at(value: Any, depth: int) -> str:
    """Return the place of an object or list at exactly this depth."""
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
    raise AssertionError("the value is not nested this deeply")
