"""Brings the arguments that clients send into the form that a tool's schema asks for.

Model SDKs send null for every unset argument, schema generators write defaults for required
arguments, and JSON from JavaScript does not distinguish integers. The model did not make these
mistakes, so an error message would not help it to correct them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.api.properties import named_properties, patterns, takes_any
from mcp_operator.gateway.schema_parts import SchemaParts, strings

MAX_DEPTH: Final = 64
"""Levels that are corrected; deeper values stay as they are."""

NO_ARGUMENTS: Final = (
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "object", "additionalProperties": False},
)
"""The inputSchema that MCP recommends for a tool without arguments (server/tools)."""

EXACT: Final = 1e21
"""From this value on, JavaScript writes integers with an exponent too."""


class ArgumentForm:
    """Adapts arguments to the schema of one tool."""

    def __init__(self, schema: JsonObject, compiled: CompiledSchema) -> None:
        """Take the schema, plain and compiled."""
        self._root = schema
        self._compiled = compiled
        self.parts = SchemaParts(schema)

    def checked(self, arguments: JsonObject) -> tuple[JsonObject, list[str]]:
        """Return the arguments to send, and the errors in them.

        Defaults are filled in, and nulls removed, only if that makes the arguments valid.
        """
        sent = self._allowed(arguments)
        for candidate in self._candidates(sent):
            errors = self._compiled.errors(candidate)
            if not errors:
                return candidate, []
        self.parts.begin()
        plain = self._without_nulls(self._root, sent, 0)
        return plain, self._compiled.errors(plain)

    def _candidates(self, sent: JsonObject) -> Iterator[JsonObject]:
        if has_whole_fraction(sent):
            sent = self._whole([self._root], sent, 0)
        yield self._with_defaults(sent)
        self.parts.begin()
        pruned = self._without_nulls(self._root, sent, 0)
        yield self._with_defaults(pruned)
        yield pruned

    def _allowed(self, arguments: JsonObject) -> JsonObject:
        """Remove arguments that only `patternProperties` could allow and that match no pattern.

        A tool without arguments gets none: n8n and others add their own arguments to every tool.
        """
        if self._root in NO_ARGUMENTS:
            return {}
        if not self._only_patterns:
            return arguments
        return {
            name: value
            for name, value in arguments.items()
            if name in self._named or any(self.parts.matches(one, name) for one in self._patterns)
        }

    @cached_property
    def _named(self) -> JsonObject:
        return named_properties(self._root)

    @cached_property
    def _patterns(self) -> list[str]:
        return patterns(self._root)

    @cached_property
    def _only_patterns(self) -> bool:
        closed = self._root.get("additionalProperties") is False
        return bool(self._patterns) and not takes_any(self._root) and not closed

    @cached_property
    def _names_defaults(self) -> bool:
        """Whether the schema has a default anywhere."""
        pending: list[Any] = [self._root]
        while pending:
            one = pending.pop()
            if isinstance(one, dict):
                if "default" in one:
                    return True
                pending.extend(one.values())
            elif isinstance(one, list):
                pending.extend(one)
        return False

    def _with_defaults(self, sent: JsonObject) -> JsonObject:
        if not self._names_defaults:
            return sent
        self.parts.begin()
        completed: JsonObject = self._completed(self._root, sent, 0)
        return completed

    def _completed(self, schema: Any, value: Any, depth: int) -> Any:
        """Fill in defaults, in a copy."""
        if depth > MAX_DEPTH or not isinstance(value, dict | list):
            return value
        nodes = self.parts.certain(schema, value)
        if isinstance(value, list):
            return [
                self._completed(self.parts.item(nodes, index), one, depth + 1)
                for index, one in enumerate(value)
            ]
        result = {
            name: self._completed(self.parts.member(nodes, name), one, depth + 1)
            if isinstance(one, dict | list)
            else one
            for name, one in value.items()
        }
        for name, part in self.parts.properties(nodes).items():
            if name not in result and (default := self.parts.default(part)) is not None:
                result[name] = default
        return result

    def _without_nulls(self, schema: Any, value: Any, depth: int) -> Any:
        """Remove each null that the schema does not allow and does not require."""
        if depth > MAX_DEPTH or not isinstance(value, dict | list):
            return value
        nodes = self.parts.certain(schema, value)
        if isinstance(value, list):
            return [
                self._without_nulls(self.parts.item(nodes, index), one, depth + 1)
                for index, one in enumerate(value)
            ]
        required = {name for node in nodes for name in strings(node.get("required"))}
        members = {name: self.parts.member(nodes, name) for name in value}
        return {
            name: self._without_nulls(members[name], one, depth + 1)
            for name, one in value.items()
            if one is not None or name in required or self.parts.nullable(members[name])
        }

    def _whole(self, schemas: Sequence[Any], value: Any, depth: int) -> Any:
        """Turn whole floats into integers where a schema that could apply asks for integers."""
        if depth > MAX_DEPTH or not isinstance(value, dict | list | float):
            return value
        nodes = self.parts.possible(schemas)
        if isinstance(value, float):
            return _integer(nodes, value)
        if isinstance(value, list):
            return [
                self._whole(self.parts.items(nodes, index), one, depth + 1)
                for index, one in enumerate(value)
            ]
        return {
            name: self._whole(self.parts.members(nodes, name), one, depth + 1)
            for name, one in value.items()
        }


def has_whole_fraction(value: Any) -> bool:
    """Tell whether a value contains a number such as 5.0."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, float) and one.is_integer():
            return True
        if isinstance(one, dict):
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
    return False


def _integer(nodes: Sequence[JsonObject], value: float) -> float | int:
    types = {one for node in nodes for one in _types(node)}
    wanted = "integer" in types and "number" not in types
    return int(value) if wanted and value.is_integer() and abs(value) < EXACT else value


def _types(node: JsonObject) -> list[str]:
    """Return the types that a schema names, or those of the values in its `enum` or `const`."""
    if "type" in node:
        return node["type"] if isinstance(node["type"], list) else [node["type"]]
    listed = node.get("enum", [node["const"]] if "const" in node else [])
    return ["integer" for one in listed if type(one) is int]
