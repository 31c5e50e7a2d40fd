"""Finds what a schema in the document says and the tool's schema does not, for the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_operator.api.subschemas import ALONE, IN_LISTS, NAMED
from mcp_operator.importers.texts import shortened

_HOLDING: Final = ALONE | IN_LISTS | (NAMED - {"dependencies"})

_UNDERSTOOD: Final = _HOLDING | frozenset(
    (
        *("$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$ref"),
        *("$recursiveAnchor", "$recursiveRef", "$schema", "additionalItems", "const"),
        *("contentEncoding", "contentMediaType", "default", "definitions", "dependentRequired"),
        *("deprecated", "description", "discriminator", "enum", "example", "examples"),
        *("exclusiveMaximum", "exclusiveMinimum", "externalDocs", "format", "maxContains"),
        *("maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems"),
        *("minLength", "minProperties", "minimum", "multipleOf", "nullable", "pattern"),
        *("readOnly", "required", "title", "type", "uniqueItems", "writeOnly", "xml"),
    )
)
"""Keywords that are translated, or that do not constrain values."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that a schema in the document says, and the tool's schema does not.

    Attributes:
        text: What was lost.
        place: Its place in the document, as a JSON pointer in a URI fragment (RFC 6901, section 6),
            after the name of the file if it is not the main one.
    """

    text: str
    place: str


@dataclass(slots=True)
class Losses:
    """The losses in the schemas of a document, by parts of the document.

    A schema with a name is translated once, for all tools that use it. Losses are therefore stored
    by the part in which they occur, together with the references between parts.
    """

    _own: dict[str, dict[Loss, None]] = field(default_factory=dict)
    _references: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, part: str, loss: Loss) -> None:
        """Add a loss in the part with this key."""
        self._own.setdefault(part, {})[loss] = None

    def refer(self, part: str, target: str) -> None:
        """Add a reference from one part to another."""
        self._references.setdefault(part, {})[target] = None

    def of(self, parts: Iterable[str]) -> Iterator[Loss]:
        """Yield the losses in the parts with these keys, and in all parts that they refer to."""
        pending, seen = list(parts)[::-1], set[str]()
        while pending:
            part = pending.pop()
            if part not in seen:
                seen.add(part)
                yield from self._own.get(part, ())
                pending += self._references.get(part, ())


def untranslated(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield a text for each keyword that is not translated because of its name or form.

    Keywords that begin with `x-` are extensions of OpenAPI, and have no effect here.
    """
    for keyword, value in node.items():
        if keyword in ALONE:
            fits = isinstance(value, bool | dict) or (keyword == "items" and _is_list(value))
        elif keyword in _HOLDING:
            fits = isinstance(value, list if keyword in IN_LISTS else dict)
        elif keyword == "collectionFormat":
            fits = node.get("type") != "array"  # it applies to lists; tools also write it on items
        else:
            fits = keyword in _UNDERSTOOD or keyword.startswith("x-")
        if not fits and value is not None:
            why = "cannot have this value" if keyword in _HOLDING else "is not supported"
            yield f"the keyword {shortened(keyword, 40)} {why}, so it is left out"


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
