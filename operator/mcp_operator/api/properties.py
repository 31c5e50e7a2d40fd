"""Which properties a JSON Schema names, and whether it allows others.

The compiler and the gateway share this module: an argument that a schema does not name is not sent,
unless the schema says that it allows others.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.nesting import pointer_name

MAX_REFERENCES: Final = 64
"""A longer chain of references is a cycle, or is unreadable."""

_INDEX: Final = re.compile("[0-9]{1,6}")
_UNCONDITIONAL: Final = ("allOf",)
_ALTERNATIVE: Final = ("anyOf", "oneOf")
_CONDITIONAL: Final = ("if", "then", "else")
_OTHERS: Final = ("additionalProperties", "unevaluatedProperties")


def target(root: Mapping[str, Any], reference: str) -> JsonObject | None:
    """Resolve a JSON pointer within a schema; None for any other reference."""
    if not reference.startswith("#"):
        return None
    node: Any = root
    for raw in filter(None, unquote(reference[1:]).split("/")):
        part = pointer_name(raw)
        if isinstance(node, list) and _INDEX.fullmatch(part) and int(part) < len(node):
            node = node[int(part)]
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None


def in_place(root: JsonObject, node: Any, *, certain: bool = False) -> Iterator[JsonObject]:
    """Yield a schema and all schemas that apply to the same value by reference or combination.

    Args:
        root: The whole schema.
        node: Where to begin.
        certain: Whether to leave out schemas that apply in some cases only.
    """
    pending, seen = deque([node]), set[int]()
    while pending and len(seen) <= MAX_REFERENCES:
        one = pending.popleft()
        if not isinstance(one, dict) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one.get("$ref"), str):
            pending.append(target(root, one["$ref"]))
        for keyword in _UNCONDITIONAL if certain else (*_UNCONDITIONAL, *_ALTERNATIVE):
            branches = one.get(keyword)
            pending += branches if isinstance(branches, list) else []
        if not certain:
            pending += [one.get(keyword) for keyword in _CONDITIONAL]
            dependent = one.get("dependentSchemas")
            pending += dependent.values() if isinstance(dependent, dict) else ()


def named_properties(root: JsonObject) -> dict[str, Any]:
    """Return the properties that a schema names, each with the first schema given for it.

    A name that is only in `required` counts, too, because clients must send it.
    """
    named: dict[str, Any] = {}
    for node in in_place(root, root):
        properties, required = node.get("properties"), node.get("required")
        for name, schema in (properties if isinstance(properties, dict) else {}).items():
            named.setdefault(name, schema)
        for name in required if isinstance(required, list) else ():
            named.setdefault(name, True)
    return named


def has_room(root: JsonObject) -> bool:
    """Tell whether a schema says that it allows properties that it does not name."""
    return takes_any(root) or bool(patterns(root))


def takes_any(root: JsonObject) -> bool:
    """Tell whether a schema allows properties of any name, or has a reference without a target."""
    for node in in_place(root, root):
        if any(node.get(keyword, False) is not False for keyword in _OTHERS):
            return True
        reference = node.get("$dynamicRef", node.get("$ref"))
        if isinstance(reference, str) and target(root, reference) is None:
            return True
    return False


def patterns(root: JsonObject) -> list[str]:
    """Return the patterns of property names that a schema allows."""
    found = (node.get("patternProperties") for node in in_place(root, root))
    return list(dict.fromkeys(name for one in found if isinstance(one, dict) for name in one))
