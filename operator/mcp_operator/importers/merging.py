"""Merges the branches of `allOf` into one schema, if that has the same meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.importers.dialect import ANNOTATIONS
from mcp_operator.importers.schemas import HIDDEN

_OBJECTS: Final = frozenset({"properties", "required", "additionalProperties", HIDDEN})
"""Keywords that apply only to objects."""


_NULL: Final = {"type": "null"}
_FIXED: Final = frozenset({"$ref", "allOf", "anyOf", "const", "enum", "if", "not", "oneOf"})
"""Keywords that can reject null even if the type allows it."""


def merged(branches: Sequence[JsonObject], around: JsonObject) -> JsonObject | None:
    """Return one schema that is equivalent to all branches together; None if that is impossible.

    Args:
        branches: The schemas, without references at their roots.
        around: The keywords beside the allOf. Their texts take precedence over the branches'.
    """
    result: JsonObject = {}
    for branch in (*branches, around):
        for keyword, value in branch.items():
            if keyword in ANNOTATIONS or keyword not in result or result[keyword] == value:
                result[keyword] = value
            else:
                both = _both(keyword, result[keyword], value)
                if both is None:
                    return None
                result[keyword] = both
    if "type" not in result and result.keys() & _OBJECTS:
        result["type"] = "object"
    return result


def with_null(schema: JsonObject) -> JsonObject:
    """Turn "one type, or null" into one schema of two types."""
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword, ())
        others = [branch for branch in branches if branch != _NULL]
        if len(branches) != len(others) + 1 or len(others) != 1:
            continue
        (other,) = others
        if isinstance(other.get("type"), str) and not other.keys() & _FIXED:
            rest = {key: value for key, value in schema.items() if key != keyword}
            if not rest.keys() <= ANNOTATIONS:
                continue
            return {**other, "type": [other["type"], "null"], **rest}
    return schema


def without_hidden(schema: JsonObject) -> JsonObject:
    """Return an object's schema that does not require properties which were left out."""
    if HIDDEN not in schema:
        return schema
    hidden = schema[HIDDEN]
    required = [name for name in schema.get("required", ()) if name not in hidden]
    rest = {key: value for key, value in schema.items() if key not in (HIDDEN, "required")}
    return rest | ({"required": required} if required else {})


def _both(keyword: str, one: Any, other: Any) -> Any:
    """Return the value of a keyword that is equivalent to two values; None if there is none."""
    match keyword:
        case "properties":
            shared = {name: _property(one[name], other[name]) for name in one if name in other}
            return {**one, **other, **shared}
        case "required" | "x-hidden":
            return list(dict.fromkeys([*one, *other]))
        case "type":
            return _types(one, other)
        case "additionalProperties":
            # Strictly, false forbids the properties of the other branches. No author means that.
            return one if other is True else other if one is True else None
        case _:
            return None


def _property(one: JsonObject, other: JsonObject) -> JsonObject:
    return one if one == other else {"allOf": [one, other]}


def _types(one: Any, other: Any) -> Any:
    first = [one] if isinstance(one, str) else one
    second = [other] if isinstance(other, str) else other
    both = [name for name in first if name in second]
    if not both and "integer" in (*first, *second) and "number" in (*first, *second):
        both = ["integer"]
    if not both:
        return None
    return both[0] if len(both) == 1 else both
