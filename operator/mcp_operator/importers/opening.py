"""Follows references and merges allOf at the root of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import SchemaCostError
from mcp_operator.importers.merging import merged, with_null, without_hidden

MAX_PARTS: Final = 500_000
"""Keywords that the work for one tool can visit. Types that extend each other in pairs double with
every level, so a small document could need more than the available memory."""


class Opener:
    """Opens schemas whose references point to the given definitions."""

    def __init__(self, definitions: Mapping[str, JsonObject]) -> None:
        self._definitions = definitions
        self._parts = 0
        self._in_circle = False
        self._known: dict[tuple[str, frozenset[str]], JsonObject] = {}

    def reset(self) -> None:
        """Reset the limit on work."""
        self._parts = 0

    def opened(self, schema: JsonObject, kept: frozenset[str] = frozenset()) -> JsonObject:
        """Return a schema without a reference at its root, and without allOf if possible.

        Args:
            schema: A translated schema.
            kept: Definitions that contain themselves. An allOf that refers to one is not merged:
                the merged schema would contain itself, and merging would never end.

        Raises:
            SchemaCostError: It takes too much work.
        """
        return without_hidden(self._opened(schema, frozenset(), kept))

    def _opened(
        self, schema: JsonObject, around: frozenset[str], kept: frozenset[str]
    ) -> JsonObject:
        self._parts += len(schema) + len(schema.get("properties", ()))
        if self._parts > MAX_PARTS:
            raise SchemaCostError(f"merging its allOf takes more than {MAX_PARTS} steps")
        reference = schema.get("$ref")
        if reference is not None:
            target = self._followed(reference, around, kept)
            return target | {key: value for key, value in schema.items() if key != "$ref"}
        if "allOf" in schema and not any(one.get("$ref") in kept for one in schema["allOf"]):
            branches = [self._opened(branch, around, kept) for branch in schema["allOf"]]
            rest = {keyword: value for keyword, value in schema.items() if keyword != "allOf"}
            one = merged(branches, rest)
            if one is not None:
                return one
        return with_null(schema)

    def _followed(self, reference: str, around: frozenset[str], kept: frozenset[str]) -> JsonObject:
        """Open the target of a reference; the schema `{}`, which allows anything, for a cycle."""
        if reference in around:
            self._in_circle = True
            return {}
        known = self._known.get((reference, kept))
        if known is not None:
            return known
        before, self._in_circle = self._in_circle, False
        target = self._opened(self._definitions[reference], around | {reference}, kept)
        if not self._in_circle:  # in a cycle, the result depends on where the work began
            self._known[reference, kept] = target
        self._in_circle = self._in_circle or before
        return target
