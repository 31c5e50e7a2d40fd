"""Compiles catalog objects, each only when its spec or an object that it refers to changes."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import to_json

from mcp_operator.builders.catalog import compile_object
from mcp_operator.builders.compiled import Compiled, InvalidError
from mcp_operator.builders.references import Facts, References
from mcp_operator.controllers.long_work import LARGE_SPEC, LongWork
from mcp_operator.controllers.parsing import ParsedServer, Parser, fault, unreadable
from mcp_operator.controllers.reference_reader import ReferenceReader
from mcp_operator.core.meta import Object, generation_of, key_of, uid_of


@dataclass(frozen=True, slots=True)
class _Result:
    references: References
    facts: Facts
    compiled: Compiled


class Compiler:
    """Compiles raw catalog objects; returns the identical result for an unchanged object."""

    def __init__(self, parser: Parser, reader: ReferenceReader, long_work: LongWork) -> None:
        self._parser = parser
        self._reader = reader
        self._long_work = long_work
        self._results: dict[str, tuple[int, _Result]] = {}
        self._server_facts: dict[str, Facts] = {}

    def forget(self, uid: str) -> None:
        """Drop the result of a deleted object."""
        self._results.pop(uid, None)
        self._server_facts.pop(uid, None)

    async def compile(self, raw: Object) -> Compiled:
        """Return the catalog entries of an object, and what is wrong with it.

        Raises:
            ApiError: An object that it refers to could not be read.
        """
        known = self._cached(raw)
        if known is not None and self._reader.are_current(known.references, known.facts):
            return known.compiled
        try:
            parsed = self._parser.catalog_object(raw)
        except InvalidError as error:
            return self._remember(raw, _Result(References(), Facts(), unreadable(raw, error)))
        facts = await self._reader.facts(parsed.references)
        large = len(to_json(raw.get("spec"))) > LARGE_SPEC
        async with self._long_work.turn(key_of(raw).namespace, large=large) as run:
            known = self._cached(raw)  # another task may have compiled it in the meantime
            if known is not None and known.facts == facts:
                return known.compiled
            try:
                compiled = await run(compile_object, parsed.model, facts)
            except Exception as error:  # noqa: BLE001 - a bug affects only this object
                compiled = unreadable(raw, fault("compile", raw, error))
            return self._remember(raw, _Result(parsed.references, facts, compiled))

    async def facts(self, raw: Object, server: ParsedServer) -> Facts:
        """Return facts about what a server itself refers to; the same object while they are equal.

        Raises:
            ApiError: An object that it refers to could not be read.
        """
        facts = await self._reader.facts(server.references)
        known = self._server_facts.get(uid_of(raw))
        if known == facts:
            return known
        if self._parser.knows(uid_of(raw)):
            self._server_facts[uid_of(raw)] = facts
        return facts

    def _cached(self, raw: Object) -> _Result | None:
        generation, result = self._results.get(uid_of(raw), (0, None))
        return result if generation == generation_of(raw) else None

    def _remember(self, raw: Object, result: _Result) -> Compiled:
        if self._parser.knows(uid_of(raw)):  # otherwise it was deleted while its facts were read
            self._results[uid_of(raw)] = generation_of(raw), result
        return result.compiled
