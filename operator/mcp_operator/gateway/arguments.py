"""What clients send, brought into the form that a tool's schema asks for.

Model SDKs send null for whatever is not set, generators of schemas write defaults for required
arguments, and JSON in JavaScript has no integers: none of this is a mistake of the model's that a
sentence could mend.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.api.properties import in_place, named_properties, patterns, takes_any

MAX_DEPTH: Final = 64
"""Levels that are looked at; the rest of a value stays as it is."""

MAX_NESTED: Final = 8
"""Choices between a schema and null that are looked into, one within the other."""

NO_ARGUMENTS: Final = (
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "object", "additionalProperties": False},
)
"""What MCP recommends as the inputSchema of a tool without arguments (server/tools)."""

EXACT: Final = 1e21
"""From here on, JavaScript, too, writes an integer with an exponent."""


class ArgumentForm:
    """The schema of one tool's arguments, and what follows from it for what is sent."""

    def __init__(self, schema: JsonObject, compiled: CompiledSchema) -> None:
        """Take the schema, and the same compiled."""
        self._root = schema
        self._compiled = compiled
        # By the identity of parts of the schema, which live as long as this does.
        self._known_nodes: dict[int, tuple[JsonObject, ...]] = {}
        self._known_properties: dict[int, JsonObject] = {}
        self._nullables: dict[int, bool] = {}
        """By the identity of a subschema, whether it may take null."""

    def checked(self, arguments: JsonObject) -> tuple[JsonObject, list[str]]:
        """Return arguments as they are to be sent, and what is wrong with them.

        Defaults are filled in and nulls left out only where that makes them valid.
        """
        sent = self._allowed(arguments)
        for candidate in self._candidates(sent):
            errors = self._compiled.errors(candidate)
            if not errors:
                return candidate, []
        plain = self._without_nulls(self._root, sent, 0)
        return plain, self._compiled.errors(plain)

    def _candidates(self, sent: JsonObject) -> Iterator[JsonObject]:
        yield self._completed(self._root, sent, 0)
        pruned = self._without_nulls(self._root, sent, 0)
        yield self._completed(self._root, pruned, 0)
        yield self._completed(self._root, pruned, 0, defaults=False)

    def _allowed(self, arguments: JsonObject) -> JsonObject:
        """Leave out what only `patternProperties` could allow, and does not.

        A tool without arguments gets none: n8n and others send some of their own to every tool.
        """
        if self._root in NO_ARGUMENTS:
            return {}
        if self._names is None:
            return arguments
        named, matching = self._names
        return {
            name: value
            for name, value in arguments.items()
            if name in named or matching.errors({name: None})
        }

    @cached_property
    def _names(self) -> tuple[JsonObject, CompiledSchema] | None:
        allowed = patterns(self._root)
        if not allowed or takes_any(self._root) or self._root.get("additionalProperties") is False:
            return None
        return named_properties(self._root), CompiledSchema(
            {"patternProperties": dict.fromkeys(allowed, False)}
        )

    def _completed(self, schema: Any, value: Any, depth: int, *, defaults: bool = True) -> Any:
        """Fill in defaults and write integers as such, in a copy."""
        if depth > MAX_DEPTH:
            return value
        if isinstance(value, float):
            return self._integer(schema, value)
        if isinstance(value, list):
            items = self._first(schema, "items")
            return [self._completed(items, one, depth + 1, defaults=defaults) for one in value]
        if not isinstance(value, dict):
            return value
        properties = self._properties(schema)
        result = {
            name: self._completed(properties.get(name), one, depth + 1, defaults=defaults)
            for name, one in value.items()
        }
        if defaults:
            for name, part in properties.items():
                if name not in result and (default := self._first(part, "default")) is not None:
                    result[name] = default
        return result

    def _without_nulls(self, schema: Any, value: Any, depth: int) -> Any:
        """Leave out each null that stands where none may and that is not required."""
        if depth > MAX_DEPTH or not isinstance(value, dict | list):
            return value
        if isinstance(value, list):
            items = self._first(schema, "items")
            return [self._without_nulls(items, one, depth + 1) for one in value]
        properties = self._properties(schema)
        required = {name for node in self._nodes(schema) for name in _strings(node.get("required"))}
        others = self._first(schema, "additionalProperties")
        return {
            name: self._without_nulls(properties.get(name), one, depth + 1)
            for name, one in value.items()
            if one is not None or name in required or self._nullable(properties.get(name, others))
        }

    def _integer(self, schema: Any, value: float) -> float | int:
        types = [node["type"] for node in in_place(self._root, schema) if "type" in node]
        allowed = [one for each in types for one in (each if isinstance(each, list) else [each])]
        whole = value.is_integer() and abs(value) < EXACT
        return int(value) if whole and "integer" in allowed and "number" not in allowed else value

    def _nullable(self, schema: Any, level: int = 0) -> bool:
        """Tell whether a schema may take null, as far as its types say.

        One that refers to itself, or is nested deeper than is looked into, may.
        """
        known = self._nullables.get(id(schema))
        if known is None:
            self._nullables[id(schema)] = True
            known = self._nullables[id(schema)] = self._takes_null(schema, level)
        return known

    def _takes_null(self, schema: Any, level: int) -> bool:
        for node in in_place(self._root, schema, certain=True):
            types = node.get("type", "null")
            if "null" not in (types if isinstance(types, list) else [types]):
                return False
            if None not in node.get("enum", [None]) or node.get("const") is not None:
                return False
            for keyword in ("anyOf", "oneOf"):
                branches = node.get(keyword) if level < MAX_NESTED else None
                if branches and not any(self._nullable(one, level + 1) for one in branches):
                    return False
        return schema is not False

    def _properties(self, schema: Any) -> JsonObject:
        known = self._known_properties.get(id(schema))
        if known is None:
            known = {}
            for node in self._nodes(schema):
                properties = node.get("properties")
                if isinstance(properties, dict):
                    known = properties | known
            self._known_properties[id(schema)] = known
        return known

    def _first(self, schema: Any, keyword: str) -> Any:
        return next((n[keyword] for n in self._nodes(schema) if keyword in n), None)

    def _nodes(self, schema: Any) -> tuple[JsonObject, ...]:
        """Return the schemas that judge a value in any case, or in any but that it is null."""
        if not isinstance(schema, dict):
            return ()
        known = self._known_nodes.get(id(schema))
        if known is None:
            known = self._known_nodes[id(schema)] = tuple(self._judging(schema, 0))
        return known

    def _judging(self, schema: Any, level: int) -> Iterator[JsonObject]:
        for node in in_place(self._root, schema, certain=True):
            yield node
            for keyword in ("anyOf", "oneOf"):
                branches = [one for one in node.get(keyword, ()) if one != {"type": "null"}]
                if len(branches) == 1 and level < MAX_NESTED:
                    yield from self._judging(branches[0], level + 1)


def _strings(names: Any) -> list[str]:
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
