"""Parses cached objects into models, each spec only once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError

from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.catalog import (
    MODELS,
    CatalogObject,
    entry_keys_of,
    references_of,
    selectors,
)
from mcp_operator.builders.compile_auth import condition_faults
from mcp_operator.builders.compiled import CatalogKind, Compiled, EntryKey, Finding, InvalidError
from mcp_operator.builders.joining import Reach, reach_of
from mcp_operator.builders.references import References
from mcp_operator.builders.server_references import server_references
from mcp_operator.core.meta import (
    UNREADABLE,
    Key,
    LabelSelector,
    Object,
    generation_of,
    key_of,
    uid_of,
)

logger = logging.getLogger(__name__)

KEPT_GENERATIONS = 2
"""An event carries the object before and after a change, and both are parsed more than once."""


@dataclass(frozen=True, slots=True)
class ParsedServer:
    """A server, its compiled selectors, its own references, and where it selects from."""

    model: MCPServer
    selectors: dict[CatalogKind, LabelSelector]
    references: References
    reach: Reach

    @property
    def key(self) -> Key:
        """The server's namespace and name."""
        return Key(self.model.namespace, self.model.name)


@dataclass(frozen=True, slots=True)
class ParsedObject:
    """A tool, prompt or resource, its references, and the entry keys that it claims."""

    model: CatalogObject
    references: References
    entry_keys: frozenset[EntryKey]


class Parser:
    """Turns raw objects into models, and caches them by uid and generation until `forget`.

    It also caches that an object is invalid, for example because an older schema accepted it.
    """

    def __init__(self) -> None:
        self._cache: dict[str, dict[int, ParsedServer | ParsedObject | Finding]] = {}

    def server(self, raw: Object) -> ParsedServer:
        """Return a parsed MCPServer.

        Raises:
            InvalidError: This release cannot read the spec.
        """
        return cast("ParsedServer", self._parsed(raw))

    def catalog_object(self, raw: Object) -> ParsedObject:
        """Return a parsed MCPTool, MCPPrompt or MCPResource.

        Raises:
            InvalidError: This release cannot read the spec.
        """
        return cast("ParsedObject", self._parsed(raw))

    def server_or_none(self, raw: Object) -> ParsedServer | None:
        """Return a parsed MCPServer, or None if this release cannot read it."""
        try:
            return self.server(raw)
        except InvalidError:
            return None

    def object_or_none(self, raw: Object) -> ParsedObject | None:
        """Return a parsed catalog object, or None if this release cannot read it."""
        try:
            return self.catalog_object(raw)
        except InvalidError:
            return None

    def forget(self, uid: str) -> None:
        """Drop what is cached of a deleted object."""
        self._cache.pop(uid, None)

    def knows(self, uid: str) -> bool:
        """Return whether an object has been parsed and not been forgotten since."""
        return uid in self._cache

    def _parsed(self, raw: Object) -> ParsedServer | ParsedObject:
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


def fault(step: str, raw: Object, error: Exception) -> InvalidError:
    """Return the error for an object that this release cannot process; only it is not served."""
    object_ = f"{raw['kind']} {key_of(raw)}"
    logger.error("An object is not served", exc_info=error, extra={"object": object_})
    return InvalidError(
        Reason.INVALID,
        f"this release cannot {step} the object ({type(error).__name__}). This is a bug: report "
        "it with the operator's log. To work around it, simplify the object",
    )


def unreadable(raw: Object, error: InvalidError) -> Compiled:
    """Return the result of compiling an object that cannot be parsed."""
    kind = cast("CatalogKind", raw["kind"])
    created = raw["metadata"].get("creationTimestamp", "")
    return Compiled(kind, key_of(raw), created, findings=(error.finding,))


def _parse_server(raw: Object) -> ParsedServer:
    server = MCPServer.model_validate(raw)
    if reserved := server.spec.reserved_variables:
        raise InvalidError(
            Reason.INVALID, f"spec.env: {', '.join(reserved)} cannot be set here; remove it"
        )
    for index, problem in condition_faults(server):
        raise InvalidError(Reason.INVALID, f"spec.auth.rules[{index}].when: {problem}")
    return ParsedServer(
        server, selectors(server), server_references(server), reach=reach_of(server)
    )


def _parse(raw: Object) -> ParsedServer | ParsedObject | Finding:
    if UNREADABLE in raw:
        return InvalidError(Reason.INVALID, raw[UNREADABLE]).finding
    try:
        if raw["kind"] == "MCPServer":
            return _parse_server(raw)
        obj = MODELS[cast("CatalogKind", raw["kind"])].model_validate(raw)
        return ParsedObject(obj, references_of(obj), entry_keys_of(obj))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return InvalidError(Reason.INVALID, f"{where}: {first['msg']}").finding
    except InvalidError as error:
        return error.finding
    except Exception as error:  # noqa: BLE001 - a bug affects only this object
        return fault("read", raw, error).finding
