"""Expresses a discriminator in JSON Schema, which has no such keyword."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcp_operator.api.catalog import JsonObject
from mcp_operator.importers.documents import Dialect, Documents, Located, OpenApiError


class Subtypes:
    """The types of a document that others extend (OpenAPI 3.1, Discriminator Object)."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._extending: dict[str, list[Located]] = {}
        old = documents.dialect is Dialect.SWAGGER_2
        path = ("definitions",) if old else ("components", "schemas")
        for _, schema in documents.main.entries(*path):
            for _, branch in schema.entries("allOf"):
                base = self._target(branch)
                if base is not None and discriminator(base):
                    self._extending.setdefault(base.key, []).append(schema)

    def of(self, base: Located) -> Iterator[tuple[Located, str, list[str]]]:
        """Yield the subtypes of a type: the schema, the discriminator, and its values.

        The values are empty if the schema itself already has a const or an enum for them.
        """
        property_ = discriminator(base)
        mapping = base.at("discriminator", "mapping").mapping
        for schema in self._extending.get(base.key, ()):
            values = _values(schema.pointer, mapping)
            yield schema, property_, [] if self._names_value(schema, property_) else values

    def alternatives(self, part: Located, keyword: str) -> Iterator[tuple[int, str, list[str]]]:
        """Yield the alternatives of oneOf or anyOf that do not name their own discriminator value.

        Each comes as its index, the discriminator, and its values.
        """
        property_ = discriminator(part)
        mapping = part.at("discriminator", "mapping").mapping
        for index, place in part.entries(keyword):
            reference = place.mapping.get("$ref")
            if not property_ or not isinstance(reference, str):
                continue
            if not self._names_value(place, property_):
                yield int(index), property_, _values(reference, mapping)

    def lists_extensions(self, base: Located) -> bool:
        """Tell whether a type lists its own subtypes as alternatives."""
        alternatives = (place for name in ("oneOf", "anyOf") for _, place in base.entries(name))
        targets = filter(None, map(self._target, alternatives))
        branches = (branch for target in targets for _, branch in target.entries("allOf"))
        return any(found.key == base.key for found in filter(None, map(self._target, branches)))

    def _target(self, branch: Located) -> Located | None:
        reference = branch.mapping.get("$ref")
        if not isinstance(reference, str):
            return None
        try:
            return self._documents.follow(reference, branch.base)
        except OpenApiError:
            return None

    def _names_value(self, alternative: Located, property_: str) -> bool:
        try:
            target = self._documents.resolved(alternative)
            branches = [target, *(place for _, place in target.entries("allOf"))]
            nodes = [self._documents.resolved(branch) for branch in branches]
            declared = [self._documents.resolved(one.at("properties", property_)) for one in nodes]
        except OpenApiError:
            return True
        return any(place.mapping.keys() & {"const", "enum"} for place in declared)


def discriminator(part: Located) -> str:
    """Return the property that distinguishes subtypes; empty if there is none."""
    given = part.mapping.get("discriminator")
    name = given.get("propertyName") if isinstance(given, dict) else given
    return name if isinstance(name, str) else ""


def with_value(alternative: JsonObject, property_: str, values: list[str]) -> JsonObject:
    """Add to an alternative the values of the property that select it."""
    if not values:
        return alternative
    only: JsonObject = {"const": values[0]} if len(values) == 1 else {"enum": values}
    return {"allOf": [alternative, {"properties": {property_: only}, "required": [property_]}]}


def _values(reference: str, mapping: Mapping[str, Any]) -> list[str]:
    """Return the values of the discriminator that select the target of a reference."""
    name = reference.rpartition("/")[2]
    mapped = [
        value
        for value, target in mapping.items()
        if isinstance(target, str) and target.rpartition("/")[2] == name
    ]
    return mapped or [name]
