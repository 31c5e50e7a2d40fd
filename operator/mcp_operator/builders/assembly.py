"""Putting the compiled objects that a server selects together into its one catalog."""

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
from mcp_operator.builders.members import (
    Compiled,
    Entry,
    Finding,
    MemberKind,
    Slot,
)
from mcp_operator.core.meta import Key

OnConflict = Literal["OldestWins", "RejectAll"]

NAMED_RIVALS = 3
"""Rivals that a message names: with all of them, a thousand copies of one object would make a
thousand messages of a thousand names."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One selected object of which something is not served, and the first reason."""

    kind: MemberKind
    key: Key
    reason: Reason
    message: str
    condition: ConditionType


@dataclass(frozen=True, slots=True)
class Assembly:
    """A server's catalog and what was made of each object.

    Attributes:
        catalog: The catalog.
        whole: The objects all of whose entries are in it.
        rejected: The objects of which something is not.
        secrets: The Secret keys that its gateway must read.
    """

    catalog: Catalog
    whole: tuple[Compiled, ...]
    rejected: tuple[Rejection, ...]
    secrets: frozenset[SecretKey]


def claims(members: Iterable[Compiled]) -> dict[Slot, list[Compiled]]:
    """Return who wants which slot, the oldest claimant first."""
    wanted: dict[Slot, list[Compiled]] = defaultdict(list)
    for member in sorted(members, key=lambda member: member.precedence):
        for slot in member.slots:
            wanted[slot].append(member)
    return wanted


def contest(
    member: Compiled, wanted: Mapping[Slot, Sequence[Compiled]], on_conflict: OnConflict
) -> dict[Slot, Finding]:
    """Return a finding for each slot that `member` wants and does not get.

    Args:
        member: The object in question.
        wanted: For each slot of the member, every claimant in one server, the oldest first and the
            member included.
        on_conflict: The server's policy.
    """
    lost = {}
    for slot in member.slots:
        claimants = wanted[slot]
        if len(claimants) == 1:
            continue
        if on_conflict == "RejectAll":
            message = (
                f"{slot} is also claimed by {_rivals(member, claimants)}, and the server's "
                "naming.onConflict is RejectAll: rename one of them"
            )
        elif claimants[0].key != member.key:
            message = (
                f"{slot} is already served by {claimants[0].kind} {claimants[0].key}, which "
                f"{_why_first(claimants[0], member)}: rename one of them"
            )
        else:
            continue
        lost[slot] = Finding(ConditionType.ACCEPTED, Reason.DUPLICATE_NAME, message)
    return lost


def _why_first(winner: Compiled, loser: Compiled) -> str:
    return "is older" if winner.created < loser.created else "comes first by name"


def assemble(
    settings: ServerSettings, members: Iterable[Compiled], on_conflict: OnConflict
) -> Assembly:
    """Fill every slot once, sort, and say what was left out.

    Args:
        settings: The server's own part of the catalog.
        members: Every selected object, compiled.
        on_conflict: What happens to objects that want one name: the oldest wins, or none does.
    """
    ordered = sorted(members, key=lambda member: (member.kind, member.precedence))
    wanted = claims(ordered)
    served: list[tuple[Slot, Entry]] = []
    whole: list[Compiled] = []
    rejected: list[Rejection] = []
    secrets: set[SecretKey] = set()
    for member in ordered:
        lost = contest(member, wanted, on_conflict)
        findings = [*(f for f in member.findings if f.blocking), *lost.values()]
        if findings:
            rejected.append(_rejection(member, findings))
        if not lost:
            whole.append(member)
        for slot, entry, read in zip(member.slots, member.entries, member.secrets, strict=True):
            if slot not in lost:
                served.append((slot, entry))
                secrets |= read
    return Assembly(_catalog(settings, served), tuple(whole), tuple(rejected), frozenset(secrets))


def _rivals(member: Compiled, claimants: Sequence[Compiled]) -> str:
    others = [f"{rival.kind} {rival.key}" for rival in claimants if rival.key != member.key]
    rest = len(others) - NAMED_RIVALS
    return ", ".join(others[:NAMED_RIVALS]) + (f" and {rest} more" if rest > 0 else "")


def _catalog(settings: ServerSettings, served: Iterable[tuple[Slot, Entry]]) -> Catalog:
    lists: dict[str, list[Entry]] = defaultdict(list)
    for slot, entry in sorted(served, key=lambda placed: placed[0]):
        lists[slot.list].append(entry)
    return Catalog.model_validate({"server": settings, **lists})


def _rejection(member: Compiled, findings: Sequence[Finding]) -> Rejection:
    first = findings[0]
    message = "; ".join(finding.message for finding in findings)
    return Rejection(member.kind, member.key, first.reason, message, first.condition)
