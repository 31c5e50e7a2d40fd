"""The subschemas of a JSON Schema: their places, their references, and how many there are.

Only values at the places where JSON Schema 2020-12 expects a schema are schemas: a `pattern` among
the properties or in an `enum` is data. References are followed only within the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urljoin

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.nesting import children, pointer_name, pointer_part
from mcp_operator.core.errors import OperatorError

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

MAX_NODES: Final = 20_000
"""Subschemas of a schema once every reference is followed. A dozen definitions that each refer
twice to the next have a few hundred bytes, but could expand to a million subschemas."""

MAX_SHOWN: Final = 200
"""Characters of a user's text in a message; names and references can have any length."""

ALONE: Final = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords whose value is a schema (JSON Schema Core, sections 10 and 11)."""

IN_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords whose value is a list of schemas."""

NAMED: Final = frozenset({"dependencies", "dependentSchemas", "patternProperties", "properties"})
"""Keywords whose value is an object of schemas."""

_DEFINED: Final = frozenset({"$defs", "definitions"})
"""Keywords whose value is an object of schemas that are used only where they are referred to."""

_IN_PLACE: Final = frozenset(
    {"$dynamicRef", "$ref", "allOf", "anyOf", "dependentSchemas", "else", "if", "oneOf", "then"}
)
"""Keywords whose subschemas report which parts of the value they have evaluated."""

_RETRIED: Final = 3
"""How often such a subschema checks a value if `unevaluatedItems` or `unevaluatedProperties` is
beside it. Each check repeats all checks below it: with sixteen levels, a value with one property
took a quarter of a second."""

_UNEVALUATED: Final = ("unevaluatedItems", "unevaluatedProperties")

_DIALECT_FILES: Final = DIALECT.removesuffix("schema")
_DIALECT_NODES: Final = 300
"""The subschemas that a reference to the dialect's own schemas counts as."""

_ALTERNATIVES: Final = ("allOf", "anyOf", "dependentSchemas", "oneOf", "patternProperties")
"""Keywords that hold several subschemas for the same part of a value."""

_CONDITIONS: Final = ("else", "if", "not", "then")
"""Keywords that hold one such subschema."""

_QUOTED: Final = ("const", "enum", "not")
"""Keywords whose value is repeated in errors."""

_QUOTED_BYTES: Final = 128
"""Bytes of such JSON that take as long as one more alternative."""

_REQUIRED_FREE, _REQUIRED_NAMES = 16, 4
"""The number of names in `required` that cost nothing, and the number of further names that cost as
much as one alternative: each missing name is an error."""

_HOLDING: Final = ALONE | IN_LISTS | NAMED | _DEFINED

_INDEX: Final = re.compile(r"\+?[0-9]{1,6}")
"""The index of a list in a JSON pointer, as the engine reads it."""


class SchemaError(OperatorError):
    """A schema cannot be used; the sentence says why, and where."""


class SchemaCostError(SchemaError):
    """A schema would cost too much to compile, or to check values with."""


@dataclass(slots=True)
class Subschema:
    """One subschema.

    Attributes:
        node: The schema as it is written.
        place: Its place, as a JSON pointer in a URI fragment (RFC 6901, section 6).
        base: The URI that its references are relative to; empty if it has none.
        weight: 1 for itself, and 1 for each object and list in it that is not a subschema.
        below: The subschemas that it holds or refers to, and how often each checks a value.
    """

    node: JsonObject
    place: str
    base: str
    weight: int = 1
    below: list[tuple[int, int]] = field(default_factory=list)


class Subschemas:
    """The subschemas that a schema uses, each once.

    Attributes:
        nodes: How many there are once every reference is followed, each cycle once.
        alternatives: How many of these are alternatives for the same value.
        recursive: Whether one of them refers to a schema that contains it.
    """

    def __init__(self, schema: JsonObject) -> None:
        """Find and count them.

        Raises:
            SchemaError: One refers to something outside the schema, or has another dialect.
            SchemaCostError: There are too many.
        """
        self._parts: dict[int, Subschema] = {}
        self._resources: dict[str, list[Any]] = {"": [schema]}
        self._anchors: dict[tuple[str, str], list[Any]] = {}
        self._dynamic: dict[str, list[Any]] = {}
        self._add(schema, "#", "")
        for part in tuple(self._parts.values()):
            self._declare(part)
        known = 0
        while known < len(self._parts):  # targets of references can contain more references
            new = tuple(self._parts.values())[known:]
            known = len(self._parts)
            for part in new:
                self._refer(part)
        self.recursive = False
        self._totals: dict[int, tuple[int, int]] = {}
        self._count(id(schema))
        self.nodes, self.alternatives = self._totals[id(schema)]

    def __iter__(self) -> Iterator[Subschema]:
        """Yield the subschemas that are used, in the order in which they are written."""
        return (part for one, part in self._parts.items() if one in self._totals)

    def _add(self, schema: JsonObject, place: str, base: str) -> None:
        """Add a subschema and all that it holds."""
        pending = [(schema, place, base)]
        while pending:
            node, place, base = pending.pop()
            if id(node) in self._parts:
                continue
            identifier = node.get("$id")
            base = _absolute(base, identifier) if isinstance(identifier, str) else base
            part = Subschema(node, place, base.removesuffix("#"), _weight(node))
            self._parts[id(node)] = part
            if len(self._parts) > MAX_NODES:
                raise _too_many(part)
            held = tuple(_held(node))
            part.below += [(id(child), times) for _, child, times in held if times]
            pending += [(child, f"{place}/{name}", part.base) for name, child, _ in held[::-1]]

    def _declare(self, part: Subschema) -> None:
        """Register the names by which references can find a subschema."""
        node = part.node
        if node.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
            raise SchemaError(
                f"{shown(part.place)}: the dialect {node['$schema']!r} is not supported; use "
                f"{DIALECT}"
            )
        if isinstance(node.get("$id"), str):
            self._resources.setdefault(part.base, []).append(node)
        for keyword in ("$anchor", "$dynamicAnchor"):
            name = node.get(keyword)
            if isinstance(name, str):
                self._anchors.setdefault((part.base, name), []).append(node)
                if keyword == "$dynamicAnchor":
                    self._dynamic.setdefault(name, []).append(node)

    def _refer(self, part: Subschema) -> None:
        """Follow the references of a subschema. The engine reports those that lead nowhere."""
        for keyword in ("$ref", "$dynamicRef"):
            reference = part.node.get(keyword)
            if not isinstance(reference, str):
                continue
            for target, place, base in self._targets(part, keyword, reference):
                if isinstance(target, dict):
                    self._add(target, place, base)
                    part.below.append((id(target), _times(part.node, keyword)))

    def _targets(
        self, part: Subschema, keyword: str, reference: str
    ) -> Iterator[tuple[Any, str, str]]:
        """Yield the possible targets of a reference: several, if a name occurs more than once."""
        uri, _, fragment = _absolute(part.base, reference).partition("#")
        if uri.startswith(_DIALECT_FILES):
            part.weight += _DIALECT_NODES
            return
        if uri not in self._resources:
            raise SchemaError(
                f"{shown(part.place)}: the {keyword} {shown(reference)} refers to another "
                "document, which is never fetched: copy the target to $defs"
            )
        if fragment and not fragment.startswith("/"):
            named = self._dynamic.get(fragment, []) if keyword == "$dynamicRef" else []
            for target in (*self._anchors.get((uri, fragment), ()), *named):
                yield target, "", ""  # already known, with its place
            return
        for resource in self._resources[uri]:
            around = self._parts.get(id(resource))
            place = around.place if around else "#"
            yield _at(resource, unquote(fragment)), place + fragment, uri

    def _count(self, root: int) -> None:
        """Compute the totals of each subschema that is used, including all below it."""
        path, pending = set[int](), [root]
        while pending:
            one = pending[-1]
            part = self._parts[one]
            if one in self._totals:
                pending.pop()
            elif one not in path:
                path.add(one)
                self.recursive = self.recursive or any(child in path for child, _ in part.below)
                pending += [child for child, _ in part.below if child not in path]
            else:
                pending.pop()
                path.remove(one)
                self._totals[one] = self._total(part)

    def _total(self, part: Subschema) -> tuple[int, int]:
        below = [(self._totals.get(child, (0, 0)), times) for child, times in part.below]
        nodes = part.weight + sum(total[0] * times for total, times in below)
        if nodes > MAX_NODES:
            raise _too_many(part)
        return nodes, _alternatives(part.node) + sum(total[1] for total, _ in below)


def shown(text: str) -> str:
    """Cut a user's text for a message if it is long."""
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _too_many(part: Subschema) -> SchemaCostError:
    return SchemaCostError(
        f"{shown(part.place)}: with all references resolved, the schema has more than {MAX_NODES} "
        "subschemas: use fewer references, or split the tool"
    )


def _absolute(base: str, reference: str) -> str:
    """Resolve a reference; `urljoin` alone does not know every scheme, such as `urn`."""
    return base + reference if reference.startswith("#") else urljoin(base, reference)


def _at(resource: Any, pointer: str) -> Any:
    """Resolve a JSON pointer; None if it leads nowhere."""
    node = resource
    for part in pointer.split("/")[1:]:
        name = pointer_name(part)
        if isinstance(node, dict):
            node = node.get(name)
        elif isinstance(node, list) and _INDEX.fullmatch(name) and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node


def _held(node: JsonObject) -> Iterator[tuple[str, JsonObject, int]]:
    """Yield each schema in a node: its place in the node, the schema, and how often it checks."""
    for keyword, value in node.items():
        held: Iterable[tuple[str, Any]] = ()
        if keyword in ALONE:
            held = [(keyword, value)]
        elif keyword in IN_LISTS and isinstance(value, list):
            held = ((f"{keyword}/{index}", child) for index, child in enumerate(value))
        elif keyword in _HOLDING and isinstance(value, dict):
            held = ((f"{keyword}/{pointer_part(name)}", child) for name, child in value.items())
        times = _times(node, keyword)
        for name, child in held:
            if isinstance(child, dict):
                yield name, child, times


def _times(node: JsonObject, keyword: str) -> int:
    """Return how often the value of a keyword checks a value for each time that the node does."""
    if keyword in _DEFINED:
        return 0
    retried = keyword in _IN_PLACE and any(other in node for other in _UNEVALUATED)
    return _RETRIED if retried else 1


def _weight(node: JsonObject) -> int:
    """Count a node and the objects and lists in it that are data, such as those of an `enum`."""
    weight = 1
    level: list[Any] = [value for keyword, value in node.items() if keyword not in _HOLDING]
    while level:
        level = [one for one in level if isinstance(one, dict | list)]
        weight += len(level)
        level = [child for one in level for child in children(one)]
    return weight


def _alternatives(node: JsonObject) -> int:
    """Count what explaining a mismatch has to visit besides the value itself."""
    several = (node[keyword] for keyword in _ALTERNATIVES if keyword in node)
    count = sum(len(schemas) for schemas in several if isinstance(schemas, dict | list))
    count += sum(keyword in node for keyword in _CONDITIONS)
    quoted = (node[keyword] for keyword in _QUOTED if keyword in node)
    count += sum(len(json.dumps(value)) // _QUOTED_BYTES for value in quoted)
    dependent = node.get("dependentRequired")
    lists = [node.get("required"), *(dependent.values() if isinstance(dependent, dict) else ())]
    required = sum(len(names) for names in lists if isinstance(names, list))
    return count + max(0, required - _REQUIRED_FREE) // _REQUIRED_NAMES
