"""Assembles a server's catalog from the compiled objects that it selects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mcp_operator.api.catalog import (
    Catalog,
    SecretKey,
    ServerSettings,
)
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compiled import (
    CatalogKind,
    Compiled,
    Entry,
    EntryKey,
    Finding,
)
from mcp_operator.core.meta import Key

OnConflict = Literal["OldestWins", "RejectAll"]

NOT_SELECTED = (
    "no MCPServer of the namespace selects this object: compare its labels with the servers' "
    "selectors, and its namespace with theirs"
)
"""The message for `Reason.NOT_SELECTED`, in a cluster and for files."""

NAMED_RIVALS = 3
"""How many rivals a message names. Otherwise, a thousand copies of one object would have a thousand
messages with a thousand names each."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A selected object that is not fully served, with the first reason and all messages."""

    kind: CatalogKind
    key: Key
    reason: Reason
    message: str
    condition: ConditionType


@dataclass(frozen=True, slots=True)
class Assembly:
    """A server's catalog, and which of the selected objects it serves.

    Attributes:
        catalog: The catalog.
        fully_served: The objects whose entries are all in the catalog.
        rejected: The objects that are not fully served.
        secrets: The Secret keys that its gateway must read.
        finding: Why the gateway cannot authenticate clients: all, or some if it is not blocking.
        certificate: Why new pods get no certificate, if so; running pods keep theirs.
        redis_finding: What cannot be resolved in `spec.redis`, if anything.
    """

    catalog: Catalog
    fully_served: tuple[Compiled, ...]
    rejected: tuple[Rejection, ...]
    secrets: frozenset[SecretKey]
    finding: Finding | None = None
    certificate: Finding | None = None
    redis_finding: Finding | None = None


def claimants_by_key(objects: Iterable[Compiled]) -> dict[EntryKey, list[Compiled]]:
    """Return the objects that claim each entry key, the oldest first."""
    claimants_of: dict[EntryKey, list[Compiled]] = defaultdict(list)
    for obj in sorted(objects, key=lambda obj: obj.precedence):
        for entry_key in obj.entry_keys:
            claimants_of[entry_key].append(obj)
    return claimants_of


def name_conflicts(
    obj: Compiled, claimants_of: Mapping[EntryKey, Sequence[Compiled]], on_conflict: OnConflict
) -> dict[EntryKey, Finding]:
    """Return a finding for each entry key that an object claims but does not get.

    Args:
        obj: The object.
        claimants_of: For each of its entry keys, all claimants in one server, the oldest first; the
            object is one of them.
        on_conflict: The server's policy.
    """
    lost = {}
    for entry_key in obj.entry_keys:
        claimants = claimants_of[entry_key]
        if len(claimants) == 1:
            continue
        if on_conflict == "RejectAll":
            message = (
                f"{entry_key} is also declared by {_rivals(obj, claimants)}, and the server's "
                "naming.onConflict is RejectAll: rename one of them"
            )
        elif claimants[0].key != obj.key:
            message = (
                f"{entry_key} is already served by {claimants[0].kind} {claimants[0].key}, which "
                f"{_why_first(claimants[0], obj)}: rename one of them"
            )
        else:
            continue
        lost[entry_key] = Finding(ConditionType.ACCEPTED, Reason.DUPLICATE_NAME, message)
    return lost


def _why_first(winner: Compiled, loser: Compiled) -> str:
    return "is older" if winner.created < loser.created else "sorts first by name"


def assemble(
    settings: ServerSettings, objects: Iterable[Compiled], on_conflict: OnConflict
) -> Assembly:
    """Build a catalog in which each entry key occurs once, in a stable order.

    Args:
        settings: The server's own part of the catalog.
        objects: Every selected object, compiled.
        on_conflict: Who gets an entry key that several objects claim: the oldest, or none.
    """
    ordered = sorted(objects, key=lambda obj: (obj.kind, obj.precedence))
    claimants_of = claimants_by_key(ordered)
    served: list[tuple[EntryKey, Entry]] = []
    fully_served: list[Compiled] = []
    rejected: list[Rejection] = []
    secrets: set[SecretKey] = set()
    for obj in ordered:
        lost = name_conflicts(obj, claimants_of, on_conflict)
        findings = [*(f for f in obj.findings if f.blocking), *lost.values()]
        if findings:
            rejected.append(_rejection(obj, findings))
        if not lost:
            fully_served.append(obj)
        for entry_key, entry, read in zip(obj.entry_keys, obj.entries, obj.secrets, strict=True):
            if entry_key not in lost:
                served.append((entry_key, entry))
                secrets |= read
    return Assembly(
        _catalog(settings, served), tuple(fully_served), tuple(rejected), frozenset(secrets)
    )


def _rivals(obj: Compiled, claimants: Sequence[Compiled]) -> str:
    others = [f"{rival.kind} {rival.key}" for rival in claimants if rival.key != obj.key]
    rest = len(others) - NAMED_RIVALS
    return ", ".join(others[:NAMED_RIVALS]) + (f" and {rest} more" if rest > 0 else "")


def _catalog(settings: ServerSettings, served: Iterable[tuple[EntryKey, Entry]]) -> Catalog:
    lists: dict[str, list[Entry]] = defaultdict(list)
    for entry_key, entry in sorted(served, key=lambda keyed: keyed[0]):
        lists[entry_key.list].append(entry)
    version = 1 if settings.auth is None else 2
    return Catalog.model_validate({"server": settings, "schemaVersion": version, **lists})


def _rejection(obj: Compiled, findings: Sequence[Finding]) -> Rejection:
    first = findings[0]
    message = "; ".join(finding.message for finding in findings)
    return Rejection(obj.kind, obj.key, first.reason, message, first.condition)
