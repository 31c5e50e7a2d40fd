"""Computes the status of a tool, prompt or resource with pure functions of gathered facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.api.conditions import MESSAGE_LIMIT, Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.assembly import NOT_SELECTED
from mcp_operator.builders.compiled import Compiled, Finding
from mcp_operator.core.meta import Key, Object

LISTED_SERVERS = 100
"""How many servers a status lists, the limit of its schema; `serverCount` counts all."""


@dataclass(frozen=True, slots=True)
class SelectingServer:
    """One server that selects the object.

    Attributes:
        key: Its namespace and name.
        conflicts: A finding for each name that another object of the server has taken.
        programmed: Whether the server's pods have confirmed its catalog, or do not report it.
        scaled_to_zero: Whether it has no pods because zero replicas are requested.
        unreported: Whether its pods do not report what they serve, as in mode Direct.
    """

    key: Key
    conflicts: tuple[Finding, ...]
    programmed: bool
    scaled_to_zero: bool = False
    unreported: bool = False


def object_conditions(compiled: Compiled, servers: Sequence[SelectingServer]) -> list[Condition]:
    """Return the four conditions of an object."""
    accepted = _accepted(compiled, servers)
    resolved = _resolved(compiled)
    valid = bool(accepted.status and resolved.status)
    programmed = _programmed(servers, valid=valid)
    if any(remark.reason is Reason.DISABLED for remark in compiled.remarks):
        programmed = Condition(ConditionType.PROGRAMMED, status=False, reason=Reason.DISABLED)
    return [accepted, resolved, programmed, _ready(accepted, resolved, programmed)]


def server_entries(compiled: Compiled, servers: Iterable[SelectingServer]) -> list[Object]:
    """Return `status.servers`: which servers select the object, and whether they accept it."""
    own = _merged(finding for finding in compiled.findings if finding.blocking)
    listed = []
    for one in servers:
        problem = own or _merged(one.conflicts)
        entry: Object = {
            "namespace": one.key.namespace,
            "name": one.key.name,
            "accepted": problem is None,
        }
        if problem is not None:
            message = problem.message[:MESSAGE_LIMIT]
            entry |= {"reason": str(problem.reason), "message": message}
        listed.append(entry)
    return listed[:LISTED_SERVERS]


def _accepted(compiled: Compiled, servers: Sequence[SelectingServer]) -> Condition:
    wrong = _merged(compiled.findings_of(ConditionType.ACCEPTED))
    if wrong is None:
        wrong = _merged(finding for one in servers for finding in one.conflicts)
    if wrong is not None:
        return Condition(
            ConditionType.ACCEPTED, status=False, reason=wrong.reason, message=wrong.message
        )
    remark = _merged(compiled.remarks)
    return Condition(
        ConditionType.ACCEPTED,
        status=True,
        reason=remark.reason if remark else Reason.ACCEPTED,
        message=remark.message if remark else "",
    )


def _resolved(compiled: Compiled) -> Condition:
    missing = _merged(compiled.findings_of(ConditionType.RESOLVED_REFS))
    return Condition(
        ConditionType.RESOLVED_REFS,
        status=missing is None,
        reason=missing.reason if missing else Reason.RESOLVED_REFS,
        message=missing.message if missing else "",
    )


def _programmed(servers: Sequence[SelectingServer], *, valid: bool) -> Condition:
    def no(reason: Reason, message: str = "") -> Condition:
        return Condition(ConditionType.PROGRAMMED, status=False, reason=reason, message=message)

    if not servers:
        return no(Reason.NOT_SELECTED, NOT_SELECTED)
    if not valid:
        return no(Reason.NOT_ACCEPTED)
    behind = [one for one in servers if not one.programmed]
    names = ", ".join(str(one.key) for one in behind)
    if behind and all(one.scaled_to_zero for one in behind):
        return no(Reason.SCALED_TO_ZERO, f"zero replicas are requested for {names}")
    if behind:
        return no(Reason.SERVER_NOT_PROGRAMMED, f"not yet served by {names}")
    if silent := [str(one.key) for one in servers if one.unreported]:
        message = f"the pods of {', '.join(silent)} do not report whether they serve it"
        return Condition(
            ConditionType.PROGRAMMED, status=None, reason=Reason.NOT_REPORTED, message=message
        )
    return Condition(ConditionType.PROGRAMMED, status=True, reason=Reason.PROGRAMMED)


_NOT_WRONG: Final = frozenset({Reason.DISABLED, Reason.SCALED_TO_ZERO, Reason.NOT_REPORTED})


def _ready(*conditions: Condition) -> Condition:
    """Return the summary.

    An object that is not served because a spec says so is ready. So is an object whose servers do
    not report what they serve, because nothing is known to be wrong.
    """
    for condition in conditions:
        if not condition.status:
            return Condition(
                ConditionType.READY,
                status=condition.reason in _NOT_WRONG,
                reason=condition.reason,
                message=condition.message,
            )
    return Condition(ConditionType.READY, status=True, reason=Reason.READY)


def _merged(findings: Iterable[Finding]) -> Finding | None:
    """Return one finding with the messages of all of them and the reason of the first."""
    every = list(findings)
    if not every:
        return None
    messages = dict.fromkeys(finding.message for finding in every)
    return Finding(every[0].condition, every[0].reason, "; ".join(messages), every[0].blocking)
