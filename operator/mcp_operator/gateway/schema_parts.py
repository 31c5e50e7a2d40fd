"""Finds the subschemas that apply to a part of a tool's arguments."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.api.properties import in_place

MAX_NESTED: Final = 8
"""Levels of nested choices between schemas that are searched."""

MAX_CHOICES: Final = 10_000
"""Branches of choices that are compared with the parts of one value."""

MAX_KEPT: Final = 1024
"""Sets of schemas that are cached. Limited, because names that clients make up can match any
combination of many patterns."""

_CHOICES: Final = ("anyOf", "oneOf")

_OTHERS: Final = ("additionalProperties", "unevaluatedProperties")
_ANYTHING: Final[JsonObject] = {}

Nodes = Sequence[JsonObject]
"""Schemas that apply to the same value."""


class _Present(threading.local):
    """The state for the current value, per thread, because threads handle large values."""

    def __init__(self) -> None:
        self.choices = MAX_CHOICES
        """How many branches can still be compared."""
        self.asked = set[int]()
        """The schemas that `nullable` is currently checking, by identity."""


class SchemaParts:
    """The parts of one schema. Results are cached by the identity of the parts."""

    def __init__(self, root: JsonObject) -> None:
        """Take the whole schema, which must live as long as this object."""
        self._root = root
        self._certain: dict[int, tuple[Nodes, Sequence[list[Any]]]] = {}
        self.kept: dict[tuple[int, ...], Nodes] = {}
        """The schemas that can apply to a value, by the parts that they come from."""
        self._patterns: dict[str, CompiledSchema] = {}
        self._nullable: dict[int, bool] = {}
        self._now = _Present()

    def begin(self) -> None:
        """Reset the limit for a new value."""
        self._now.choices = MAX_CHOICES

    def certain(self, schema: Any, value: Any, level: int = 0) -> Nodes:
        """Return the schemas that apply to a value; of a choice, only a branch that alone fits."""
        always, choices = self._always(schema)
        if not choices or level >= MAX_NESTED:
            return always
        found = list(always)
        for branches in choices:
            fitting = [one for one in branches if self._may_fit(one, value)]
            if len(fitting) == 1:
                found += self.certain(fitting[0], value, level + 1)
        return found

    def possible(self, schemas: Sequence[Any]) -> Nodes:
        """Return all schemas that can apply to any value."""
        key = tuple(map(id, schemas))
        known = self.kept.get(key)
        if known is None:
            if len(self.kept) >= MAX_KEPT:
                self.kept.clear()
            nodes = [node for schema in schemas for node in in_place(self._root, schema)]
            known = self.kept[key] = list({id(node): node for node in nodes}.values())
        return known

    def properties(self, nodes: Nodes) -> JsonObject:
        """Return the properties that schemas define; if several do, the first definition counts."""
        named = [node["properties"] for node in nodes if isinstance(node.get("properties"), dict)]
        if len(named) == 1:
            return dict(named[0])
        return {name: part for properties in reversed(named) for name, part in properties.items()}

    def members(self, nodes: Nodes, name: str) -> list[Any]:
        """Return the subschemas for one member of an object."""
        return [part for node in nodes for part in self._said_of(node, name)]

    def member(self, nodes: Nodes, name: str) -> Any:
        """Return the first subschema for a member; the empty schema if there is none."""
        for node in nodes:
            properties = node.get("properties")
            if isinstance(properties, dict) and name in properties:
                return properties[name]
        return next(iter(self.members(nodes, name)), _ANYTHING)

    def items(self, nodes: Nodes, index: int) -> list[Any]:
        """Return the subschemas for one item of a list."""
        found = []
        for node in nodes:
            first = node.get("prefixItems")
            first = first if isinstance(first, list) else []
            if index < len(first):
                found.append(first[index])
            elif "items" in node:
                found.append(node["items"])
        return found

    def item(self, nodes: Nodes, index: int) -> Any:
        """Return the first subschema for an item; the empty schema if there is none."""
        return next(iter(self.items(nodes, index)), _ANYTHING)

    def default(self, schema: Any) -> Any:
        """Return the default for a missing value, or None."""
        found = [node["default"] for node in self.certain(schema, None) if "default" in node]
        return found[0] if found else None

    def matches(self, pattern: str, name: str) -> bool:
        """Tell whether a name matches a pattern of `patternProperties`."""
        if pattern not in self._patterns:
            self._patterns[pattern] = CompiledSchema({"patternProperties": {pattern: False}})
        return bool(self._patterns[pattern].errors({name: None}))

    def nullable(self, schema: Any, level: int = 0) -> bool:
        """Tell whether a schema can allow null, judging by its types.

        A schema that refers to itself, or is nested too deeply to check, counts as nullable.
        """
        known = self._nullable.get(id(schema))
        if known is not None or id(schema) in self._now.asked:
            return known is not False
        self._now.asked.add(id(schema))
        try:
            known = self._nullable[id(schema)] = self._takes_null(schema, level)
        finally:
            self._now.asked.discard(id(schema))
        return known

    def _takes_null(self, schema: Any, level: int) -> bool:
        for node in in_place(self._root, schema, certain=True):
            types = node.get("type", "null")
            if "null" not in (types if isinstance(types, list) else [types]):
                return False
            if None not in node.get("enum", [None]) or node.get("const") is not None:
                return False
            for keyword in _CHOICES:
                branches = node.get(keyword) if level < MAX_NESTED else None
                if branches and not any(self.nullable(one, level + 1) for one in branches):
                    return False
        return schema is not False

    def _always(self, schema: Any) -> tuple[Nodes, Sequence[list[Any]]]:
        """Return the schemas that apply to every value, and the choices."""
        if not isinstance(schema, dict):
            return (), ()
        known = self._certain.get(id(schema))
        if known is None:
            nodes = tuple(in_place(self._root, schema, certain=True))
            choices = [node[keyword] for node in nodes for keyword in _CHOICES if keyword in node]
            known = self._certain[id(schema)] = nodes, choices
        return known

    def _said_of(self, node: JsonObject, name: str) -> Iterator[Any]:
        properties, by_pattern = node.get("properties"), node.get("patternProperties")
        found = [properties[name]] if isinstance(properties, dict) and name in properties else []
        if isinstance(by_pattern, dict):
            found += [part for one, part in by_pattern.items() if self.matches(one, name)]
        yield from found or [node[keyword] for keyword in _OTHERS if keyword in node]

    def _may_fit(self, schema: Any, value: Any) -> bool:
        """Tell whether a value can fit a branch, judging by its type and its constants."""
        self._now.choices -= 1
        if schema is False or self._now.choices < 0:
            return False
        return all(self._may_be_of(node, value) for node in self._always(schema)[0])

    def _may_be_of(self, node: JsonObject, value: Any) -> bool:
        types = node.get("type", [])
        types = types if isinstance(types, list) else [types]
        if value is None:
            return types != ["null"]  # a missing value can fit any branch but null
        if types and ("array" if isinstance(value, list) else "object") not in types:
            return False
        if isinstance(value, list):
            return True
        named = node.get("properties", _ANYTHING)
        for name in named if len(named) < len(value) else value:
            if name in value and name in named and not self._agrees(named[name], value[name]):
                return False
        return "required" not in node or all(
            name in value or self.default(named.get(name)) is not None
            for name in strings(node["required"])
        )

    def _agrees(self, schema: Any, value: Any) -> bool:
        """Tell whether a value is among those in `const` or `enum`, if the schema has any."""
        for node in self._always(schema)[0]:
            if "const" in node and value != node["const"]:
                return False
            if isinstance(node.get("enum"), list) and value not in node["enum"]:
                return value is None
        return schema is not False


def strings(names: Any) -> list[str]:
    """Return the strings of a list; nothing if it is not a list."""
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
