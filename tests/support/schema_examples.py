"""Example values that are valid for a JSON Schema."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import lru_cache
from random import Random
from typing import Any, Final

from hypothesis import find, settings
from hypothesis import strategies as st

_TEXTS: Final = {
    "date": "2026-02-03",
    "date-time": "2026-02-03T04:05:06Z",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "04:05:06Z",
    "uri": "https://example.com/a",
    "url": "https://example.com/a",
    "uuid": "5f0c1a2e-3b4d-4c5e-8f60-718293a4b5c6",
    "byte": base64.b64encode(b"bytes").decode(),
}
_ITEMS: Final = 2
"""Items of a list; some readers do not recognize a list with one item in a form."""

_DEEPEST: Final = 12
"""The depth down to which lists get items."""


class Examples:
    """Creates values for the schemas within one schema."""

    def __init__(self, schema: Mapping[str, Any], optional_depth: int = 1) -> None:
        """Set the schema to which references point.

        Args:
            schema: The schema.
            optional_depth: The depth down to which optional fields get values.
        """
        self._root = schema
        self._optional_depth = optional_depth

    def value(self) -> Any:
        """Return a value that the schema allows."""
        return self._value(self._root, 0)

    def _value(self, schema: Any, depth: int) -> Any:
        schema = self._followed(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next((one for one in schema["enum"] if one is not None), None)
        for keyword in ("allOf", "oneOf", "anyOf"):
            if keyword in schema:
                return self._value(self._chosen(schema, keyword), depth)
        if schema.get("examples"):
            return schema["examples"][0]
        return self._typed(schema, depth)

    def _chosen(self, schema: Mapping[str, Any], keyword: str) -> dict[str, Any]:
        """Return a schema merged with all of its branches, or with one of them."""
        branches = schema[keyword] if keyword == "allOf" else [self._first(schema[keyword])]
        result = {key: value for key, value in schema.items() if key != keyword}
        for branch in map(self._followed, branches):
            properties = {**result.get("properties", {}), **branch.get("properties", {})}
            required = [*result.get("required", ()), *branch.get("required", ())]
            result |= branch
            result |= {"properties": properties} if properties else {}
            result |= {"required": required} if required else {}
        return result

    def _followed(self, schema: Any) -> dict[str, Any]:
        while isinstance(schema, dict) and "$ref" in schema:
            schema = self._root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return schema if isinstance(schema, dict) else {}

    def _first(self, branches: list[Any]) -> Any:
        """Return the first alternative that is not null."""
        real = [one for one in branches if one != {"type": "null"}]
        return real[0] if real else {}

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        types = schema.get("type", "object" if "properties" in schema else "string")
        name = types if isinstance(types, str) else next(one for one in types if one != "null")
        match name:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "boolean":
                return True
            case "integer" | "number":
                return _number(schema, integer=name == "integer")
            case "null":
                return None
            case _:
                return _text(schema)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        wanted = [name for name in properties if name in required or depth < self._optional_depth]
        made = {name: self._value(properties[name], depth + 1) for name in wanted}
        others = schema.get("additionalProperties")
        for name in required:
            made.setdefault(name, self._value(others, depth + 1))
        while len(made) < schema.get("minProperties", 0):
            made[f"key{len(made)}"] = self._value(others, depth + 1)
        return made

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        fewest, most = schema.get("minItems", 0), schema.get("maxItems", _ITEMS)
        count = max(fewest, min(_ITEMS, most)) if depth < _DEEPEST else fewest
        first = [self._value(one, depth + 1) for one in schema.get("prefixItems", ())]
        items = schema.get("items", {})
        options = items.get("enum") if isinstance(items, dict) else None
        if options and len(options) >= count:
            return [*first, *options[:count]]
        return [*first, *(self._value(items, depth + 1) for _ in range(count - len(first)))]


def _number(schema: Mapping[str, Any], *, integer: bool) -> int | float:
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return int(step) if integer else step
    number = low if low is not None else high
    if number == schema.get("exclusiveMinimum"):
        number += step if integer or high is None else (high - number) / 2
    elif number == schema.get("exclusiveMaximum"):
        number -= step
    return int(number) if integer else number


def _text(schema: Mapping[str, Any]) -> str:
    if schema.get("contentEncoding") == "base64":
        return base64.b64encode(b"bytes").decode()
    if "pattern" in schema:
        return _matching(schema["pattern"], schema.get("minLength", 0))
    text = _TEXTS.get(schema.get("format", ""), "text")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema["maxLength"]] if "maxLength" in schema else text


@lru_cache(maxsize=1000)
def _matching(pattern: str, length: int) -> str:
    """Return a text that matches a regular expression, always the same one."""
    strategy = st.from_regex(
        pattern, alphabet=st.characters(codec="ascii", categories=("L", "N", "P", "S"))
    )
    quiet = settings(database=None, deadline=None)
    return find(strategy, lambda text: len(text) >= length, random=Random(0), settings=quiet)  # noqa: S311 - the same each time
