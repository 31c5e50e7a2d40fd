"""JSON Schema 2020-12 for arguments and results: compiled once, no network, bounded time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, Final

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

MAX_SOUND = 4096
"""Schemas that are known to compile, by digests of 32 bytes."""

MAX_ERRORS = 8
"""Errors reported for one value: enough to correct a call, too few to flood a model's context."""

MAX_ERROR_LENGTH = 300
"""Characters of one error: messages quote the offending value, which can be of any size."""

MAX_EXPLAINING = 4000
"""How much explaining one value may cost: its parts times the alternatives that a schema tries on
each. A unit takes 10 to 60 µs, so this is at most some 50 ms and usually much less."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


_TOO_DEEP = f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels"

_ALTERNATIVES = ("allOf", "anyOf", "dependentSchemas", "oneOf", "patternProperties")
"""Keywords that hold several subschemas for one and the same part of a value."""

_CONDITIONS = ("if", "then", "else", "not")
"""Keywords that hold one such subschema."""

_OPTIONS: Final[dict[str, Any]] = {
    "offline": True,
    "pattern_options": jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT),
}
"""No reference is ever fetched, neither over the network nor from a file."""


_sound: dict[bytes, None] = {}
"""The digests of schemas that compile, in the order in which they were found to."""


class SchemaError(OperatorError):
    """A schema cannot be used; the sentence says why."""


def check(schema: JsonObject) -> None:
    """Raise what `CompiledSchema` does; a schema that was found sound is not compiled again.

    Tools change more often than their schemas, and many share one.
    """
    try:
        digest = hashlib.sha256(json.dumps(schema).encode()).digest()
    except RecursionError as error:
        raise SchemaError(_TOO_DEEP) from error
    if digest in _sound:
        return
    CompiledSchema(schema)
    _sound[digest] = None
    if len(_sound) > MAX_SOUND:
        del _sound[next(iter(_sound))]


class CompiledSchema:
    """One schema, ready to check values."""

    def __init__(self, schema: JsonObject) -> None:
        """Compile.

        Raises:
            SchemaError: It is not JSON Schema 2020-12, refers to something outside itself, or is
                too large.
        """
        self._schema = schema
        self._alternatives, self._recursive = _check_bounds(schema)
        try:
            self._validator = jsonschema_rs.Draft202012Validator(schema, **_OPTIONS)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            raise SchemaError(f"the schema does not compile: {_shorten(error)}") from error

    def errors(self, value: Any) -> list[str]:
        """Return what is wrong with a value, one sentence each, at most `MAX_ERRORS`.

        Finding out whether a value is valid takes linear time. Explaining why it is not can take
        seconds and hundreds of megabytes (an error for each of 100 000 items; every combination
        of nested alternatives), so large values and recursive schemas get coarser sentences.
        """
        try:
            return self._errors(value)
        except UnicodeEncodeError:
            return ["a text holds half of a surrogate pair, which is no character"]
        except ValueError:  # "Recursion limit reached", at 255 levels
            return ["the value is nested too deep to be checked"]

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
        """Estimate; alternatives multiply with each level of a recursive schema."""
        weight, depth = _weight_and_depth(value)
        tried: int = (1 + self._alternatives) ** (depth if self._recursive else 1)
        return weight * tried

    def _coarse_errors(self, value: Any) -> Iterator[str]:
        """Say which properties are missing and which do not match, without saying why."""
        if not isinstance(value, dict):
            return
        for name in self._schema.get("required", ()):
            if name not in value:
                yield f'"{_cut(name)}" is a required property'
        for name in self._schema.get("properties", {}):
            if name not in value:
                continue
            part = self._parts.get(f"#/properties/{name.replace('~', '~0').replace('/', '~1')}")
            if part is not None and not part.is_valid(value[name]):
                yield f"{_cut(name)}: the value does not match the schema"

    @cached_property
    def _parts(self) -> jsonschema_rs.ValidatorMap:
        return jsonschema_rs.validator_map_for(self._schema, **_OPTIONS)


def _weight_and_depth(value: Any) -> tuple[int, int]:
    """Measure a value level by level, and no further than it is worth explaining."""
    weight, depth, level = 1, 0, [value]
    while level and weight <= MAX_EXPLAINING and depth < MAX_SCHEMA_DEPTH:
        depth += 1
        # Messages quote texts, so long ones weigh more.
        weight += sum(len(node) // 100 for node in level if isinstance(node, str))
        weight += sum(len(node) for node in level if isinstance(node, dict | list))
        if weight <= MAX_EXPLAINING:
            level = [child for node in level for child in _children(node)]
    return weight, depth


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    message = _shorten(error)
    if not error.instance_path:
        return message
    return f"{'.'.join(str(part) for part in error.instance_path)}: {message}"


def _shorten(error: Exception) -> str:
    return _cut(getattr(error, "message", "") or str(error))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_ERROR_LENGTH else text[:MAX_ERROR_LENGTH] + "…"


def _check_bounds(schema: JsonObject) -> tuple[int, bool]:
    """Refuse what is too large; return how many alternatives there are, and if any recurs."""
    dialect = schema.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        raise SchemaError(f"the dialect {dialect!r} is not supported, use {DIALECT}")
    if _depth(schema) > MAX_SCHEMA_DEPTH:
        raise SchemaError(_TOO_DEEP)
    if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise SchemaError(f"the schema is larger than {MAX_SCHEMA_BYTES} bytes")
    expansion = _Expansion(schema)
    try:
        expanded, alternatives = expansion.measure(schema)
    except RecursionError as error:
        raise SchemaError("the schema's references form too long a chain") from error
    if expanded > MAX_EXPANDED_NODES:
        raise SchemaError(
            f"the schema holds more than {MAX_EXPANDED_NODES} subschemas once its references are"
            " followed"
        )
    return alternatives, expansion.recursive


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


def _own_alternatives(node: Any) -> int:
    if not isinstance(node, dict):
        return 0
    several = (node[keyword] for keyword in _ALTERNATIVES if keyword in node)
    return sum(len(schemas) for schemas in several if isinstance(schemas, dict | list)) + sum(
        keyword in node for keyword in _CONDITIONS
    )


class _Expansion:
    """Counts the nodes of a schema with local references followed, each cycle once.

    Attributes:
        recursive: Whether a cycle was met.
    """

    def __init__(self, schema: JsonObject) -> None:
        self._root = schema
        self._known: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()
        self.recursive = False

    def measure(self, node: Any) -> tuple[int, int]:
        """Return the nodes of a part, and the alternatives among them."""
        if not isinstance(node, dict | list):
            return 0, 0
        known = self._known.get(id(node))
        if known is not None:
            self.recursive = self.recursive or id(node) in self._open
            return known
        self._known[id(node)] = (1, 0)  # what a cycle that comes back here counts
        self._open.add(id(node))
        nodes, alternatives = 1, _own_alternatives(node)
        for child in (*_children(node), self._referred(node)):
            more_nodes, more_alternatives = self.measure(child)
            nodes += more_nodes
            alternatives += more_alternatives
        self._open.remove(id(node))
        limit = MAX_EXPANDED_NODES + 1
        self._known[id(node)] = (min(nodes, limit), min(alternatives, limit))
        return self._known[id(node)]

    def _referred(self, node: Any) -> Any:
        reference = node.get("$ref") if isinstance(node, dict) else None
        return self._target(reference) if isinstance(reference, str) else None

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
