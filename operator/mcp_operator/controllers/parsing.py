"""Reading cached objects as models, each spec once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError

from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.catalog import MODELS, Member, references_of, selectors, slots_of
from mcp_operator.builders.members import Compiled, Finding, InvalidError, MemberKind, Slot
from mcp_operator.builders.references import References
from mcp_operator.core.meta import LabelSelector, Object, generation_of, key_of, uid_of

KEPT_GENERATIONS = 2
"""An event carries the object before and after a change; both are read more than once."""


@dataclass(frozen=True, slots=True)
class ParsedServer:
    """A server and its compiled selectors."""

    model: MCPServer
    selectors: dict[MemberKind, LabelSelector]


@dataclass(frozen=True, slots=True)
class ParsedMember:
    """A tool, prompt or resource, what it refers to and which slots it wants."""

    model: Member
    references: References
    slots: frozenset[Slot]


class Parser:
    """Turns raw objects into models, and remembers them by uid and generation.

    That an object is one which the models refuse (written under an older schema, say) is remembered
    too. What is remembered of an object lasts until `forget`.
    """

    def __init__(self) -> None:
        self._cache: dict[str, dict[int, ParsedServer | ParsedMember | Finding]] = {}

    def server(self, raw: Object) -> ParsedServer:
        """Return a parsed MCPServer.

        Raises:
            InvalidError: Its spec is not one that this release reads.
        """
        return cast("ParsedServer", self._parsed(raw))

    def member(self, raw: Object) -> ParsedMember:
        """Return a parsed MCPTool, MCPPrompt or MCPResource.

        Raises:
            InvalidError: Its spec is not one that this release reads.
        """
        return cast("ParsedMember", self._parsed(raw))

    def readable_server(self, raw: Object) -> ParsedServer | None:
        """Return a parsed MCPServer, None where this release cannot read it."""
        try:
            return self.server(raw)
        except InvalidError:
            return None

    def readable_member(self, raw: Object) -> ParsedMember | None:
        """Return a parsed member, None where this release cannot read it."""
        try:
            return self.member(raw)
        except InvalidError:
            return None

    def forget(self, uid: str) -> None:
        """Drop an object that is gone."""
        self._cache.pop(uid, None)

    def knows(self, uid: str) -> bool:
        """Tell whether an object has been parsed, and not been forgotten since."""
        return uid in self._cache

    def _parsed(self, raw: Object) -> ParsedServer | ParsedMember:
        generations = self._cache.setdefault(uid_of(raw), {})
        generation = generation_of(raw)
        parsed = generations.get(generation)
        if parsed is None:
            parsed = generations[generation] = _parse(raw)
            if len(generations) > KEPT_GENERATIONS:
                del generations[min(generations)]
        if isinstance(parsed, Finding):
            raise InvalidError(parsed.reason, parsed.message)
        return parsed


def unreadable(raw: Object, error: InvalidError) -> Compiled:
    """Return what an object compiles to that cannot even be parsed."""
    kind = cast("MemberKind", raw["kind"])
    created = raw["metadata"].get("creationTimestamp", "")
    return Compiled(kind, key_of(raw), created, findings=(error.finding,))


def _parse(raw: Object) -> ParsedServer | ParsedMember | Finding:
    try:
        if raw["kind"] == "MCPServer":
            server = MCPServer.model_validate(raw)
            return ParsedServer(server, selectors(server))
        member = MODELS[cast("MemberKind", raw["kind"])].model_validate(raw)
        return ParsedMember(member, references_of(member), slots_of(member))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return InvalidError(Reason.INVALID, f"{where}: {first['msg']}").finding
    except InvalidError as error:
        return error.finding
