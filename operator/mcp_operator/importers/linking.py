"""Links translated schemas into one schema that is complete, and small enough for a model.

References are replaced by their targets, because some clients do not support references. Only
schemas that contain themselves, or that would be repeated so often that the result is too large,
become definitions. If the result is still too large, it loses details: first the texts for readers,
in the end the deepest levels. It never rejects a value that the document allows.
"""

from __future__ import annotations

import heapq
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import SchemaError, check
from mcp_operator.api.nesting import MAX_DEPTH, pointer_name
from mcp_operator.api.subschemas import ALONE, IN_LISTS, NAMED
from mcp_operator.importers.dialect import ANNOTATIONS
from mcp_operator.importers.opening import Opener
from mcp_operator.importers.texts import first_sentence, shortened

MAX_IN_PLACE: Final = 16 * 1024
"""Bytes of JSON up to which all references are replaced."""

MIN_SHARED: Final = 256
"""Bytes of JSON below which a definition does not save space."""

_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")

_HOLDING: Final = ALONE | IN_LISTS | NAMED
_SAME_VALUE: Final = frozenset({"allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf"})
"""Keywords whose schemas apply to the value itself, and not to a part of it."""

_KEPT_OF_CUT: Final = ANNOTATIONS | {"type", "format", "const", "enum"}
"""Keywords that are kept of a schema at the deepest level."""

_ORDER: Final = (
    "$ref",
    "type",
    "title",
    "description",
    "deprecated",
    "const",
    "enum",
    "format",
    "default",
    "examples",
)
_LAST: Final = ("items", "properties", "required", "additionalProperties", "$defs")
"""The order of keywords in the output, for reviewers; all other keywords are in between."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How many details a schema keeps.

    Attributes:
        own_text: Characters of an argument's description.
        text: Characters of the descriptions below an argument.
        examples: Whether examples and titles are kept.
        depth: Levels below the root. Deeper schemas keep only their type.
    """

    own_text: int
    text: int
    examples: bool = False
    depth: int = MAX_DEPTH


FULL: Final = Detail(1000, 1000, examples=True)
DETAILS: Final = (
    (FULL, ""),
    (Detail(1000, 160), "its descriptions are shortened"),
    (Detail(400, 80), "its descriptions are shortened"),
    (Detail(400, 0), "its descriptions are left out"),
    *((Detail(400, 0, depth=depth), f"it is cut at level {depth}") for depth in (9, 7, 6, 5)),
    *((Detail(400, 60, depth=depth), f"it is cut at level {depth}") for depth in (4, 3, 2, 1)),
)
"""From the most to the least detail, each with the report's words for the loss."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A schema that contains everything that it refers to.

    Attributes:
        schema: The schema.
        loss: What was left out because of the size; empty if nothing was.
    """

    schema: JsonObject
    loss: str = ""


@dataclass(slots=True)
class _Plan:
    """How one schema is written."""

    detail: Detail
    names: Mapping[str, str]
    """The schemas that become definitions, and the names of these."""
    recursive: frozenset[str]
    """The keys of those that contain themselves."""
    wanted: list[tuple[int, str]] = field(default_factory=list)
    """Definitions that were referred to, and the depth of the reference."""


@dataclass(slots=True)
class _Survey:
    """The definitions that a schema refers to, directly and indirectly.

    Attributes:
        counts: How often each definition is referred to, by the schema and by other definitions.
        recursive: Enough of the definitions that contain themselves to break every cycle.
        done: All definitions, each after the definitions that it refers to.
    """

    counts: Counter[str]
    recursive: set[str] = field(default_factory=set)
    done: dict[str, None] = field(default_factory=dict)


class Linker:
    """Links the schemas of one direction."""

    def __init__(self, definitions: Mapping[str, JsonObject], max_bytes: int) -> None:
        """Set up.

        Args:
            definitions: The targets of references, by key.
            max_bytes: The size limit of a schema, as JSON.
        """
        self._definitions = definitions
        self._opener = Opener(definitions)
        self._max_bytes = max_bytes
        self._referred: dict[str, Counter[str]] = {}
        self._sizes: dict[str, int] = {}
        self._known: dict[str, Linked] = {}

    def reset(self) -> None:
        """Reset the limit on work, for another tool."""
        self._opener.reset()

    def opened(self, schema: JsonObject) -> JsonObject:
        """Return a schema without a reference at its root, and without allOf if possible."""
        return self._opener.opened(schema)

    def link(self, schema: JsonObject) -> Linked:
        """Return a schema that contains everything that it refers to.

        Raises:
            SchemaError: It cannot be compiled, even with the least detail.
        """
        text = json.dumps(schema)  # many operations have the same response
        if text not in self._known:
            self._known[text] = self._linked(schema)
        return self._known[text]

    def _linked(self, schema: JsonObject) -> Linked:
        survey = self._survey(schema)
        recursive = frozenset(survey.recursive)
        if self._size_in_place(schema, survey) <= MAX_IN_PLACE:
            written = self._written(schema, FULL, recursive, recursive)
            if self._fits(written):
                return Linked(written)
        shared = recursive | {
            key for key, count in survey.counts.items() if self._is_shared(key, count)
        }
        for detail, loss in DETAILS:
            written = self._written(schema, detail, shared, recursive)
            if self._fits(written):
                return Linked(written, loss)
        least, loss = DETAILS[-1]
        written = self._written(schema, least, shared, recursive)
        check(written)  # raises if it cannot be compiled; otherwise it is only too large
        return Linked(written, loss)

    def _is_shared(self, key: str, count: int) -> bool:
        return count > 1 and len(json.dumps(self._definitions[key])) >= MIN_SHARED

    def _fits(self, schema: JsonObject) -> bool:
        if len(json.dumps(schema, ensure_ascii=False).encode()) > self._max_bytes:
            return False
        try:
            check(schema)
        except SchemaError:
            return False
        return True

    def _survey(self, schema: JsonObject) -> _Survey:
        """Visit all definitions that a schema refers to, children first."""
        survey = _Survey(Counter(_references(schema)))
        open_: dict[str, Iterator[str]] = {}
        for start in tuple(survey.counts):
            pending = [start]
            while pending:
                key = pending[-1]
                if key in survey.done:
                    pending.pop()
                    continue
                if key not in open_:
                    survey.counts.update(self._references_of(key))
                    open_[key] = iter(self._references_of(key))
                child = next(open_[key], None)
                if child is None:
                    survey.done[key] = None
                    del open_[key]
                elif child in open_:
                    survey.recursive.add(child)
                elif child not in survey.done:
                    pending.append(child)
        return survey

    def _references_of(self, key: str) -> Counter[str]:
        if key not in self._referred:
            self._referred[key] = Counter(_references(self._definitions[key]))
        return self._referred[key]

    def _size_in_place(self, schema: JsonObject, survey: _Survey) -> int:
        """Estimate the size of a schema in which only recursive parts are definitions."""
        sizes = dict.fromkeys(survey.recursive, 0)
        total = len(json.dumps(schema))
        for key in survey.done:
            size = self._own_size(key) + sum(
                sizes.get(child, 0) * times for child, times in self._references_of(key).items()
            )
            if key in survey.recursive:
                total += size
            else:
                sizes[key] = size
        return total + sum(sizes[key] for key in _references(schema))

    def _own_size(self, key: str) -> int:
        if key not in self._sizes:
            self._sizes[key] = len(json.dumps(self._definitions[key]))
        return self._sizes[key]

    def _written(
        self,
        schema: JsonObject,
        detail: Detail,
        shared: frozenset[str],
        recursive: frozenset[str],
    ) -> JsonObject:
        self._opener.reset()
        plan = _Plan(detail, _names(shared), recursive)
        result = self._write(schema, 0, plan)
        definitions: dict[str, JsonObject] = {}
        while plan.wanted:
            depth, key = heapq.heappop(plan.wanted)
            if plan.names[key] not in definitions:
                definition = self._opener.opened(self._definitions[key], recursive)
                definitions[plan.names[key]] = self._write(definition, depth, plan)
        if definitions:
            result["$defs"] = dict(sorted(definitions.items()))
        return result

    def _write(self, schema: JsonObject, depth: int, plan: _Plan) -> JsonObject:
        reference = str(schema.get("$ref", ""))
        if reference in plan.names and depth < plan.detail.depth:
            heapq.heappush(plan.wanted, (depth, reference))
            said = {key: value for key, value in schema.items() if key != "$ref"}
            return {"$ref": f"#/$defs/{plan.names[reference]}", **_told(said, depth, plan.detail)}
        schema = self._opener.opened(schema, plan.recursive)
        result = _told(schema, depth, plan.detail)
        held = [keyword for keyword in schema if keyword in _HOLDING]
        if held and depth >= plan.detail.depth:
            return {key: value for key, value in result.items() if key in _KEPT_OF_CUT}
        for keyword in held:
            below = depth if keyword in _SAME_VALUE else depth + 1
            result[keyword] = self._write_held(keyword, schema[keyword], below, plan)
        return _ordered(result)

    def _write_held(self, keyword: str, held: Any, depth: int, plan: _Plan) -> Any:
        if isinstance(held, bool):
            return held
        if keyword in IN_LISTS:
            return [self._write(child, depth, plan) for child in held]
        if keyword in NAMED:
            return {name: self._write(child, depth, plan) for name, child in held.items()}
        return self._write(held, depth, plan)


def _references(schema: Any) -> Iterator[str]:
    """Yield the keys of the definitions that a translated schema refers to."""
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for keyword, held in node.items():
            if keyword in IN_LISTS:
                pending += held
            elif keyword in NAMED:
                pending += held.values()
            elif keyword in ALONE and isinstance(held, dict):
                pending.append(held)


def _told(schema: JsonObject, depth: int, detail: Detail) -> JsonObject:
    """Return a schema without its subschemas, and with the texts that `detail` allows."""
    result = {key: value for key, value in schema.items() if key not in _HOLDING}
    if not detail.examples:
        result.pop("examples", None)
        result.pop("title", None)
    limit = detail.own_text if depth <= 1 else detail.text
    text = result.pop("description", "")
    if text and limit:
        whole = limit >= detail.own_text
        result["description"] = shortened(text, limit) if whole else first_sentence(text, limit)
    return result


def _ordered(schema: JsonObject) -> JsonObject:
    first = [keyword for keyword in _ORDER if keyword in schema]
    last = [keyword for keyword in _LAST if keyword in schema]
    between = [keyword for keyword in schema if keyword not in {*first, *last}]
    return {keyword: schema[keyword] for keyword in (*first, *between, *last)}


def _names(keys: frozenset[str]) -> dict[str, str]:
    """Name definitions by the last part of their keys, with numbers for duplicates."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key in sorted(keys):
        last = pointer_name(key.rpartition("/")[2])
        name = _NOT_A_NAME.sub("_", last.rpartition(".")[2] or last).strip("_") or "Schema"
        number = 1
        while (numbered := name if number == 1 else f"{name}_{number}") in taken:
            number += 1
        taken.add(numbered)
        names[key] = numbered
    return names
