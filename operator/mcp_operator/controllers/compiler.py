"""Compiling members, each only when its spec or a fact about its references has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcp_operator.builders.catalog import compile_member
from mcp_operator.builders.members import Compiled, InvalidError
from mcp_operator.builders.references import Facts
from mcp_operator.controllers.parsing import Parser, unreadable
from mcp_operator.controllers.reading import Reader
from mcp_operator.core.meta import Object, generation_of, uid_of


@dataclass(frozen=True, slots=True)
class _Result:
    generation: int
    facts: Facts
    compiled: Compiled


class Compiler:
    """Compiles raw members; an unchanged member gives the identical result until `forget`."""

    def __init__(self, parser: Parser, reader: Reader) -> None:
        self._parser = parser
        self._reader = reader
        self._results: dict[str, _Result] = {}

    def forget(self, uid: str) -> None:
        """Drop the result of an object that is gone."""
        self._results.pop(uid, None)

    async def compile(self, raw: Object) -> Compiled:
        """Return what an object contributes and what is wrong with it.

        Raises:
            ApiError: What it refers to could not be read.
        """
        try:
            parsed = self._parser.member(raw)
        except InvalidError as error:
            broken = unreadable(raw, error)
            return self._remembered(raw, Facts(), lambda: broken)
        facts = await self._reader.facts(parsed.references)
        return self._remembered(raw, facts, lambda: compile_member(parsed.model, facts))

    def _remembered(self, raw: Object, facts: Facts, make: Callable[[], Compiled]) -> Compiled:
        uid, generation = uid_of(raw), generation_of(raw)
        known = self._results.get(uid)
        if known is not None and known.generation == generation and known.facts == facts:
            return known.compiled
        compiled = make()
        if self._parser.knows(uid):  # else it was deleted while its facts were read
            self._results[uid] = _Result(generation, facts, compiled)
        return compiled
