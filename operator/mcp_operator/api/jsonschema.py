"""JSON Schema 2020-12 for arguments and results: compiled once, no network, bounded cost.

Everybody who can create a tool can write any schema. The cost of compiling and checking is
therefore estimated before anything is compiled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

import jsonschema_rs

from mcp_operator.api import patterns
from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.lookaround import Budget, is_costly, renamed
from mcp_operator.api.nesting import MAX_DEPTH, children, place_beyond, pointer_part
from mcp_operator.api.patterns import PatternCostError, PatternError, mebibytes
from mcp_operator.api.schema_errors import cut, explained, shortened
from mcp_operator.api.subschemas import SchemaCostError, SchemaError, Subschemas, shown

__all__ = ["CompiledSchema", "SchemaCostError", "SchemaError", "check"]

MAX_SCHEMA_BYTES = 256 * 1024
"""A schema with more bytes of JSON is refused: MCP asks servers to limit the size of schemas."""

MAX_PATTERNS_COST = 12 * 1024 * 1024
"""Bytes of memory that all different `pattern`s of a schema can take together."""

DIALECT_COST = 64 * 1024
"""More than any `pattern` in the dialect's own schemas costs; a schema can refer to those."""

MAX_SOUND = 4096
"""Entries in the cache of schemas that compile; each key is a digest of 32 bytes."""

MAX_ERRORS = 8
"""Reported errors for one value: enough to correct a call, too few to flood a model's context."""

MAX_EXPLAINING = 4000
"""How much explaining one value can cost: its parts times the alternatives that a schema tries on
each. A unit takes 10 to 60 µs, so this is at most about 50 ms, and usually much less."""

OFFLINE: Final = True
"""References are never fetched, neither over the network nor from files."""

_SELF: Final = "urn:mcp-operator:schema"
"""The URI of a schema when another schema refers to it."""

_sound: dict[bytes, int] = {}
"""The cost of the patterns of each schema that compiles, by digest, oldest first."""


def check(schema: JsonObject) -> int:
    """Raise what `CompiledSchema` raises. A schema that compiled before is not compiled again.

    Tools change more often than their schemas, and many tools share a schema.

    Returns:
        What the schema's patterns cost, in bytes.
    """
    text = _bounded_json(schema)
    digest = hashlib.sha256(text.encode()).digest()
    cost = _sound.get(digest)
    if cost is None:
        cost = _sound[digest] = CompiledSchema(schema).cost
        if len(_sound) > MAX_SOUND:
            del _sound[next(iter(_sound))]
    return cost


class CompiledSchema:
    """One schema, ready to check values.

    Attributes:
        cost: What its patterns cost, in bytes of memory.
    """

    def __init__(self, schema: JsonObject) -> None:
        """Compile.

        Raises:
            SchemaError: It is not JSON Schema 2020-12, or refers to something outside itself.
            SchemaCostError: It is too large, or would cost too much.
        """
        _bounded_json(schema)
        parts = Subschemas(schema)
        costs = _costs(parts)
        costly = {
            id(part.node)
            for part in parts
            if isinstance(pattern := part.node.get("pattern"), str) and is_costly(pattern)
        }
        self._schema = renamed(schema, costly) if costly else schema
        self._alternatives, self._recursive = parts.alternatives, parts.recursive
        self.cost = sum(costs.values())
        self._limits = patterns.engine_options(max((DIALECT_COST, *costs.values())))
        self._budget = Budget(self._limits)
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                self._schema,
                pattern_options=self._limits,
                keywords=self._budget.keywords(),
                offline=OFFLINE,
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            told = explained(error, parts)
            raise SchemaError(f"the schema does not compile: {told}") from error

    def errors(self, value: Any) -> list[str]:
        """Return what is wrong with a value, one sentence each, at most `MAX_ERRORS`.

        Checking a value takes linear time. Explaining why it is not valid can take seconds and
        hundreds of megabytes (an error for each of 100,000 items; every combination of nested
        alternatives), so large values and recursive schemas get less precise sentences.
        """
        self._budget.renew()
        try:
            return self._errors(value)
        except UnicodeEncodeError:
            return ["a string contains half of a surrogate pair, which is not a character"]
        except ValueError:  # "Recursion limit reached", at 255 levels
            return ["the value is nested too deeply to be checked"]

    def _errors(self, value: Any) -> list[str]:
        if self._validator.is_valid(value):
            return []
        if self._explaining_costs(value) <= MAX_EXPLAINING:
            errors = islice(self._validator.iter_errors(value), MAX_ERRORS)
            return [_sentence(error) for error in errors]
        return list(islice(self._coarse_errors(value), MAX_ERRORS)) or [
            "the value does not match the schema"
        ]

    def _explaining_costs(self, value: Any) -> int:
        """Estimate the cost. In a recursive schema, each level multiplies the alternatives."""
        weight, depth = _weight_and_depth(value)
        tried: int = (1 + self._alternatives) ** (depth if self._recursive else 1)
        return weight * tried

    def _coarse_errors(self, value: Any) -> Iterator[str]:
        """Say which properties are missing and which are not valid, without the reason."""
        if not isinstance(value, dict):
            return
        for name in self._schema.get("required", ()):
            if name not in value:
                yield f'"{cut(name)}" is a required property'
        for name in self._schema.get("properties", {}):
            if name not in value:
                continue
            if not self._properties.is_valid({name: value[name]}):
                yield f"{cut(name)}: the value does not match the schema"

    @cached_property
    def _properties(self) -> jsonschema_rs.Draft202012Validator:
        """A validator of objects with one property, against the schema of that property only."""
        registry = jsonschema_rs.Registry([(_SELF, self._schema)])
        properties = {
            name: {"$ref": f"{_SELF}#/properties/{quote(pointer_part(name))}"}
            for name in self._schema["properties"]
        }
        return jsonschema_rs.Draft202012Validator(
            {"properties": properties},
            registry=registry,
            pattern_options=self._limits,
            keywords=self._budget.keywords(),
            offline=OFFLINE,
        )


def _weight_and_depth(value: Any) -> tuple[int, int]:
    """Measure a value level by level, but only up to the limits of what is explained."""
    weight, depth, level = 1, 0, [value]
    while level and weight <= MAX_EXPLAINING and depth < MAX_DEPTH:
        depth += 1
        # Errors quote strings, so long strings weigh more.
        weight += sum(len(node) // 100 for node in level if isinstance(node, str))
        weight += sum(len(node) for node in level if isinstance(node, dict | list))
        if weight <= MAX_EXPLAINING:
            level = [child for node in level for child in children(node)]
    return weight, depth


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    message = shortened(error)
    if not error.instance_path:
        return message
    return f"{'.'.join(str(part) for part in error.instance_path)}: {message}"


def _bounded_json(schema: JsonObject) -> str:
    """Return a schema as JSON, after checking its depth and size."""
    place = place_beyond(schema)
    if place is not None:
        raise SchemaCostError(
            f"{shown(place)}: the schema is nested deeper than {MAX_DEPTH} levels: move part of it "
            "to $defs, and refer to that"
        )
    text = json.dumps(schema)
    if len(text) > MAX_SCHEMA_BYTES:
        raise SchemaCostError(
            f"the schema has {len(text)} bytes, and at most {MAX_SCHEMA_BYTES} are allowed: remove "
            "descriptions, or constraints that the backend checks itself"
        )
    return text


def _costs(parts: Subschemas) -> dict[str, int]:
    """Return what each different `pattern` of a schema costs."""
    costs: dict[str, int] = {}
    total = 0
    for place, pattern in _patterns(parts):
        if pattern in costs:
            continue
        try:
            costs[pattern] = patterns.cost(pattern)
        except PatternCostError as error:
            raise SchemaCostError(f"{shown(place)} {error}") from error
        except PatternError as error:
            raise SchemaError(f"{shown(place)} {error}") from error
        total += costs[pattern]
        if total > MAX_PATTERNS_COST:
            raise SchemaCostError(
                f"{shown(place)}: the patterns of the schema, up to this one, would take "
                f"{mebibytes(total)} when compiled, and at most {mebibytes(MAX_PATTERNS_COST)} are "
                "allowed: use lower repeat counts, or limit lengths with maxLength"
            )
    return costs


def _patterns(parts: Subschemas) -> Iterator[tuple[str, str]]:
    """Yield the regular expressions of a schema, each with its place."""
    for part in parts:
        pattern, properties = part.node.get("pattern"), part.node.get("patternProperties")
        if isinstance(pattern, str):
            yield f"{part.place}/pattern", pattern
        for name in properties if isinstance(properties, Mapping) else ():
            yield f"{part.place}/patternProperties/{pointer_part(name)}", name
