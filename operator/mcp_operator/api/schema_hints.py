"""Keywords of OpenAPI 3.0 and of earlier drafts that JSON Schema 2020-12 silently ignores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.nesting import pointer_part

MAX_HINTS: Final = 8
"""Hints for one schema: generators repeat the same mistake hundreds of times."""

_HINTS: Final = {
    "nullable": (
        "nullable has no effect in JSON Schema 2020-12, so null is rejected; add null to the types,"
        ' such as type: [string, "null"]'
    ),
    "additionalItems": (
        "additionalItems has no effect in JSON Schema 2020-12; use items beside prefixItems"
    ),
}
_ONE: Final = (
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_MANY: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED: Final = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")


def schema_hints(schema: JsonObject) -> list[tuple[str, str]]:
    """Return hints: JSON pointers, such as `/properties/note/nullable`, each with the advice."""
    found = [
        (f"{pointer}/{keyword}", _HINTS[keyword])
        for pointer, part in subschemas(schema)
        for keyword in _HINTS
        if part.get(keyword) is True or isinstance(part.get(keyword), dict)
    ]
    return found[:MAX_HINTS]


def subschemas(schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield a schema and its subschemas with their JSON pointers, without following references."""
    pending: list[tuple[str, Any]] = [("", schema)]
    while pending:
        pointer, part = pending.pop()
        if not isinstance(part, dict):
            continue
        yield pointer, part
        below = [(f"{pointer}/{keyword}", part[keyword]) for keyword in _ONE if keyword in part]
        for keyword in _MANY:
            if isinstance(part.get(keyword), list):
                listed = enumerate(part[keyword])
                below += [(f"{pointer}/{keyword}/{index}", one) for index, one in listed]
        for keyword in _NAMED:
            if isinstance(part.get(keyword), dict):
                named = part[keyword].items()
                below += [(f"{pointer}/{keyword}/{pointer_part(name)}", one) for name, one in named]
        pending.extend(reversed(below))
