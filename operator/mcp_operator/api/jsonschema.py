"""JSON Schema 2020-12 for arguments and results: compiled once, no network, bounded time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import jsonschema_rs

from mcp_operator.api.catalog import JsonObject
from mcp_operator.core.errors import OperatorError

MAX_SCHEMA_BYTES = 256 * 1024
"""A schema larger than this, as JSON, is refused: MCP asks servers to bound schema size."""

MAX_SCHEMA_DEPTH = 64
"""Nesting beyond this is refused: MCP asks servers to bound schema depth."""

MAX_EXPANDED_NODES = 20_000
"""Subschemas that a schema may hold once every local `$ref` is followed. A dozen definitions that
each refer twice to the next are a few hundred bytes and a million subschemas."""

BACKTRACK_LIMIT = 10_000
"""Steps that one `pattern` with look-around may take; a pattern without runs in linear time."""

MAX_ERRORS = 8
"""Errors reported for one value: enough to correct a call, too few to flood a model's context."""

MAX_ERROR_LENGTH = 300
"""Characters of one error: messages quote the offending value, which can be of any size."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class SchemaError(OperatorError):
    """A schema cannot be used; the sentence says why."""


class CompiledSchema:
    """One schema, ready to check values."""

    def __init__(self, schema: JsonObject) -> None:
        """Compile.

        Raises:
            SchemaError: It is not JSON Schema 2020-12, refers to something outside itself, or is
                too large.
        """
        _check_bounds(schema)
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                schema,
                offline=True,
                pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT),
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            raise SchemaError(f"the schema does not compile: {_shorten(error)}") from error

    def errors(self, value: Any) -> list[str]:
        """Return what is wrong with a value, one sentence each, at most `MAX_ERRORS`."""
        if self._validator.is_valid(value):
            return []
        return [
            _sentence(error) for error in islice(self._validator.iter_errors(value), MAX_ERRORS)
        ]


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    message = _shorten(error)
    if not error.instance_path:
        return message
    return f"{'.'.join(str(part) for part in error.instance_path)}: {message}"


def _shorten(error: Exception) -> str:
    message = getattr(error, "message", "") or str(error)
    return message if len(message) <= MAX_ERROR_LENGTH else message[:MAX_ERROR_LENGTH] + "…"


def _check_bounds(schema: JsonObject) -> None:
    dialect = schema.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        raise SchemaError(f"the dialect {dialect!r} is not supported, use {DIALECT}")
    if _depth(schema) > MAX_SCHEMA_DEPTH:
        raise SchemaError(f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise SchemaError(f"the schema is larger than {MAX_SCHEMA_BYTES} bytes")
    try:
        expanded = _Expansion(schema).size()
    except RecursionError as error:
        raise SchemaError("the schema's references form too long a chain") from error
    if expanded > MAX_EXPANDED_NODES:
        raise SchemaError(
            f"the schema holds more than {MAX_EXPANDED_NODES} subschemas once its references are"
            " followed"
        )


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


def _depth(schema: Any) -> int:
    depth, level = 0, [schema]
    while level and depth <= MAX_SCHEMA_DEPTH:
        depth += 1
        level = [child for node in level for child in _children(node) if child]
    return depth


class _Expansion:
    """Counts the nodes of a schema with local references followed, each cycle once."""

    def __init__(self, schema: JsonObject) -> None:
        self._root = schema
        self._sizes: dict[int, int] = {}

    def size(self) -> int:
        return self._size(self._root)

    def _size(self, node: Any) -> int:
        if not isinstance(node, dict | list):
            return 0
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        self._sizes[id(node)] = 1  # what a cycle that comes back here counts
        total = 1 + sum(self._size(child) for child in _children(node))
        if isinstance(node, dict) and isinstance(reference := node.get("$ref"), str):
            total += self._size(self._target(reference))
        self._sizes[id(node)] = min(total, MAX_EXPANDED_NODES + 1)
        return self._sizes[id(node)]

    def _target(self, reference: str) -> Any:
        """Follow a JSON pointer in this document; other references are not expanded."""
        if not reference.startswith("#"):
            return None
        node: Any = self._root
        for raw in filter(None, reference[1:].split("/")):
            part = raw.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict):
                node = node.get(part)
            elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
                node = node[int(part)]
            else:
                return None
        return node
