"""Which subschemas judge a part of a tool's arguments."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.api.properties import in_place

MAX_NESTED: Final = 8
"""Choices between schemas that are looked into, one within the other."""

MAX_CHOICES: Final = 10_000
"""Branches of choices that are compared with the parts of one value."""

MAX_KEPT: Final = 1024
"""Sets of schemas kept: names that a client makes up may be meant by any of many patterns."""

_CHOICES: Final = ("anyOf", "oneOf")

_OTHERS: Final = ("additionalProperties", "unevaluatedProperties")
_ANYTHING: Final[JsonObject] = {}

Nodes = Sequence[JsonObject]
"""Schemas that judge the same value."""


class _Present(threading.local):
    """What holds for the value that is looked at now: large ones are looked at in threads."""

    def __init__(self) -> None:
        self.choices = MAX_CHOICES
        """How many branches may yet be compared."""
        self.asked = set[int]()
        """The schemas of which it is being found out whether they may take null."""


class SchemaParts:
    """The parts of one schema. What is found is kept, by the identity of the parts."""

    def __init__(self, root: JsonObject) -> None:
        """Take the whole schema, which lives as long as this does."""
        self._root = root
        self._certain: dict[int, tuple[Nodes, Sequence[list[Any]]]] = {}
        self.kept: dict[tuple[int, ...], Nodes] = {}
        """The schemas that may judge a value, by the parts that they come from."""
        self._patterns: dict[str, CompiledSchema] = {}
        self._nullable: dict[int, bool] = {}
        self._now = _Present()

    def begin(self) -> None:
        """Begin to look at another value."""
        self._now.choices = MAX_CHOICES

    def certain(self, schema: Any, value: Any, level: int = 0) -> Nodes:
        """Return the schemas that judge a value; of a choice, the one branch that it may fit."""
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
        """Return all schemas that may judge a value, in whatever case."""
        key = tuple(map(id, schemas))
        known = self.kept.get(key)
        if known is None:
            if len(self.kept) >= MAX_KEPT:
                self.kept.clear()
            nodes = [node for schema in schemas for node in in_place(self._root, schema)]
            known = self.kept[key] = list({id(node): node for node in nodes}.values())
        return known

    def properties(self, nodes: Nodes) -> JsonObject:
        """Return the properties that schemas name, each as the first has it."""
        named = [node["properties"] for node in nodes if isinstance(node.get("properties"), dict)]
        if len(named) == 1:
            return dict(named[0])
        return {name: part for properties in reversed(named) for name, part in properties.items()}

    def members(self, nodes: Nodes, name: str) -> list[Any]:
        """Return what schemas say of one member of an object."""
        return [part for node in nodes for part in self._said_of(node, name)]

    def member(self, nodes: Nodes, name: str) -> Any:
        """Return the first thing that is said of a member; the schema of anything for nothing."""
        for node in nodes:
            properties = node.get("properties")
            if isinstance(properties, dict) and name in properties:
                return properties[name]
        return next(iter(self.members(nodes, name)), _ANYTHING)

    def items(self, nodes: Nodes, index: int) -> list[Any]:
        """Return what schemas say of one item of a list."""
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
        """Return the first thing that is said of an item; the schema of anything for nothing."""
        return next(iter(self.items(nodes, index)), _ANYTHING)

    def default(self, schema: Any) -> Any:
        """Return the default of a value that is not there; None where there is none."""
        found = [node["default"] for node in self.certain(schema, None) if "default" in node]
        return found[0] if found else None

    def matches(self, pattern: str, name: str) -> bool:
        """Tell whether a name is one of those that `patternProperties` means."""
        if pattern not in self._patterns:
            self._patterns[pattern] = CompiledSchema({"patternProperties": {pattern: False}})
        return bool(self._patterns[pattern].errors({name: None}))

    def nullable(self, schema: Any, level: int = 0) -> bool:
        """Tell whether a schema may take null, as far as its types say.

        One that refers to itself, or is nested deeper than is looked into, may.
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
        """Return the schemas that judge every value, and the choices among others."""
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
        """Tell whether a value may be meant for a branch: of its type, with its constants."""
        self._now.choices -= 1
        if schema is False or self._now.choices < 0:
            return False
        return all(self._may_be_of(node, value) for node in self._always(schema)[0])

    def _may_be_of(self, node: JsonObject, value: Any) -> bool:
        types = node.get("type", [])
        types = types if isinstance(types, list) else [types]
        if value is None:
            return types != ["null"]  # what is not there is meant to be something
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
        """Tell whether a value is among those that a schema lists, if it lists any."""
        for node in self._always(schema)[0]:
            if "const" in node and value != node["const"]:
                return False
            if isinstance(node.get("enum"), list) and value not in node["enum"]:
                return value is None
        return schema is not False


def strings(names: Any) -> list[str]:
    """Return the strings of a list, and nothing of what is none."""
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
