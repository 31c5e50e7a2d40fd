"""Translates the schemas of a document to JSON Schema 2020-12, each named schema only once.

A reference stays a reference to the key of its target. For each tool, `linking` decides which
targets replace their references, and which become definitions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Literal

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.subschemas import ALONE, IN_LISTS, NAMED
from mcp_operator.importers.dialect import (
    ANNOTATIONS,
    is_pattern,
    keywords,
    nullable,
    unusable_pattern,
)
from mcp_operator.importers.documents import OWN, Dialect, Documents, Located, OpenApiError
from mcp_operator.importers.losses import Loss, Losses, untranslated
from mcp_operator.importers.subtypes import Subtypes, with_value

HIDDEN: Final = "x-hidden"
"""A keyword of translated schemas: properties that were left out, but that a `required` elsewhere
can still name. Linking removes it."""

_NAMED: Final = NAMED - {"dependencies", "properties"}
"""Keywords whose value is an object of schemas, except properties, which are handled separately."""

Direction = Literal["request", "response"]
_LEFT_OUT: Final[Mapping[Direction, str]] = {"request": "readOnly", "response": "writeOnly"}
"""Properties with this keyword are not sent in the direction (OpenAPI 3.1, Schema Object)."""

_Anchors = Mapping[str, Located]


class Schemas:
    """The translated schemas of one direction.

    Attributes:
        definitions: The targets of references, by key.
        losses: Everything that is not translated as it is written.
    """

    def __init__(self, documents: Documents, direction: Direction) -> None:
        self.definitions: dict[str, JsonObject] = {}
        self.losses = Losses()
        self._documents = documents
        self._subtypes = Subtypes(documents)
        self._left_out = _LEFT_OUT[direction]
        self._pending: deque[Located] = deque()
        self._part = ""
        """The key of the part that is being translated. Losses are stored by it."""

    def translate(self, part: Located, name: str = "") -> JsonObject:
        """Translate a schema object, and everything that it refers to.

        Args:
            part: The schema object.
            name: The argument that it describes.
        """
        self._part = part.key
        schema = self._schema(part, {}, name)
        while self._pending:
            target = self._pending.popleft()
            self._part = target.key
            self.definitions[target.key] = self._schema(target, {})
        self._part = part.key
        return schema

    def _schema(
        self, part: Located, anchors: _Anchors, name: str = "", *, extended: bool = False
    ) -> JsonObject:
        """Translate one schema object. `extended` means that it is a branch of an allOf."""
        if part.node is False:
            return {"not": {}}
        node = part.mapping
        anchors = _with_anchors(part, anchors)
        target = self._target(part, anchors, extended=extended)
        lost = list(untranslated(node))
        schema = keywords(node, name, lost) | self._subschemas(part, anchors, lost)
        if target is not None:
            schema = self._beside(target, schema, lost)
        self.lose(part, *lost)
        return nullable(schema, node)

    def lose(self, part: Located, *texts: str) -> None:
        """Add losses at a place in the part that was translated last."""
        for text in texts:
            self.losses.add(self._part, Loss(text, self._documents.shown(part)))

    def _target(self, part: Located, anchors: _Anchors, *, extended: bool) -> str | None:
        """Return the key of a schema's reference, and queue the target for translation."""
        try:
            target = self._followed(part, anchors)
        except OpenApiError as error:
            self.lose(part, f"the schema {error}, so any value is accepted")
            return None
        if target is None:
            return None
        if extended and self._subtypes.lists_extensions(target):
            target = _without_alternatives(target)
        return (None if extended else self._any_subtype(target)) or self._defined(target)

    def _defined(self, target: Located) -> str:
        self.losses.refer(self._part, target.key)
        if target.key not in self.definitions:
            self.definitions[target.key] = {}
            self._pending.append(target)
        return target.key

    def _followed(self, part: Located, anchors: _Anchors) -> Located | None:
        node = part.mapping
        if node.get("$recursiveRef") == "#":  # JSON Schema 2019-09, section 8.2.4.2
            return anchors.get("")
        dynamic = node.get("$dynamicRef")
        if isinstance(dynamic, str) and dynamic.lstrip("#") in anchors:
            return anchors[dynamic.lstrip("#")]
        reference = node.get("$ref", dynamic)
        return self._documents.follow(reference, part.base) if isinstance(reference, str) else None

    def _beside(self, target: str, schema: JsonObject, lost: list[str]) -> JsonObject:
        """Combine a reference with the keywords beside it.

        Before OpenAPI 3.1, keywords beside a reference have no effect. Texts are kept anyway,
        because their authors mean them.
        """
        said = {keyword: value for keyword, value in schema.items() if keyword in ANNOTATIONS}
        rest = {keyword: value for keyword, value in schema.items() if keyword not in ANNOTATIONS}
        if not rest or self._documents.dialect is not Dialect.OPENAPI_3_1:
            meaningless = [keyword for keyword in rest if keyword not in ("type", HIDDEN)]
            if meaningless:
                names = ", ".join(meaningless)
                lost.append(f"before OpenAPI 3.1, keywords beside a $ref have no effect: {names}")
            return {"$ref": target, **said}
        return {"allOf": [{"$ref": target}, rest], **said}

    def _subschemas(self, part: Located, anchors: _Anchors, lost: list[str]) -> JsonObject:
        schema: JsonObject = {}
        for keyword, value in part.mapping.items():
            if keyword in ALONE and isinstance(value, bool):
                schema[keyword] = value
            elif keyword in ALONE and isinstance(value, dict):
                schema[keyword] = self._schema(part.at(keyword), anchors)
            elif keyword in IN_LISTS and isinstance(value, list) and value:
                places = part.entries(keyword)
                extends = keyword == "allOf"
                schema[keyword] = [
                    self._schema(place, anchors, extended=extends) for _, place in places
                ]
            elif keyword in _NAMED and isinstance(value, dict):
                named = dict(part.entries(keyword))
                if keyword == "patternProperties":
                    lost += [unusable_pattern(name) for name in named if not is_pattern(name)]
                    named = {name: place for name, place in named.items() if is_pattern(name)}
                schema[keyword] = {
                    name: self._schema(place, anchors) for name, place in named.items()
                }
        if schema.get("additionalProperties") == {}:
            schema["additionalProperties"] = True
        self._tell_apart(part, schema)
        return schema | self._tuple(part, anchors) | self._properties(part, anchors)

    def _tuple(self, part: Located, anchors: _Anchors) -> JsonObject:
        """Translate a list under `items`, which JSON Schema allowed before 2020-12."""
        if not isinstance(part.mapping.get("items"), list) or not part.mapping["items"]:
            return {}
        places = part.entries("items")
        schema: JsonObject = {"prefixItems": [self._schema(place, anchors) for _, place in places]}
        others = part.at("additionalItems")
        if isinstance(others.node, bool):
            schema["items"] = others.node
        elif isinstance(others.node, dict):
            schema["items"] = self._schema(others, anchors)
        return schema

    def _properties(self, part: Located, anchors: _Anchors) -> JsonObject:
        if not isinstance(part.mapping.get("properties"), dict):
            return {}
        places = dict(part.entries("properties"))
        hidden = [name for name, place in places.items() if self._is(self._left_out, place)]
        schema: JsonObject = {
            "properties": {
                name: self._schema(place, anchors, name)
                for name, place in places.items()
                if name not in hidden
            }
        }
        return schema | ({HIDDEN: hidden} if hidden else {})

    def _is(self, mark: str, part: Located) -> bool:
        """Tell whether a property has the mark, or is only a reference to a schema that has it."""
        for _ in range(8):
            node = part.mapping
            if mark in node:
                return node[mark] is True
            all_of = node.get("allOf")
            if isinstance(all_of, list) and len(all_of) == 1:
                (_, part), *_ = part.entries("allOf")
                continue
            try:
                target = self._followed(part, {})
            except OpenApiError:
                return False
            if target is None:
                return False
            part = target
        return False

    def _tell_apart(self, part: Located, schema: JsonObject) -> None:
        """Add to each alternative the value of the discriminator that selects it."""
        for keyword in ("oneOf", "anyOf"):
            if keyword in schema:
                for index, property_, values in self._subtypes.alternatives(part, keyword):
                    alternative = schema[keyword][index]
                    schema[keyword][index] = with_value(alternative, property_, values)

    def _any_subtype(self, base: Located) -> str | None:
        """Return the key of a schema that allows a type and its subtypes, if there are any."""
        key = f"{base.key}?any"
        if key not in self.definitions:
            extending = tuple(self._subtypes.of(base))
            if not extending or {"oneOf", "anyOf"} & base.mapping.keys():
                return None
            self.definitions[key] = {}  # it can contain itself
            around, self._part = self._part, key
            alternatives = [
                with_value({"$ref": self._defined(schema)}, property_, values)
                for schema, property_, values in extending
            ]
            alternatives.append({"$ref": self._defined(base)})
            self.definitions[key] = {"anyOf": alternatives}
            self._part = around
        self.losses.refer(self._part, key)
        return key


def _without_alternatives(base: Located) -> Located:
    """Return a type without its alternatives, for an alternative that extends it.

    Otherwise, the two schemas would contain each other for the same value, without an end.
    """
    own = {name: value for name, value in base.mapping.items() if name not in ("oneOf", "anyOf")}
    return Located(own, base.base, base.pointer + OWN)


def _with_anchors(part: Located, anchors: _Anchors) -> _Anchors:
    node: Mapping[str, Any] = part.mapping
    own = {}
    if node.get("$recursiveAnchor") is True:
        own[""] = part
    if isinstance(node.get("$dynamicAnchor"), str):
        own[node["$dynamicAnchor"]] = part
    return {**anchors, **own} if own else anchors
