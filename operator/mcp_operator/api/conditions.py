"""Conditions according to KEP-1623, and how new conditions are merged into the current ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from mcp_operator.api.reasons import Reason
from mcp_operator.core.clock import rfc3339

MESSAGE_LIMIT = 1024
"""A message is one or a few sentences; metav1.Condition itself allows 32,768 characters."""


class ConditionType(StrEnum):
    """The condition types of the four kinds. All but Degraded are good when True."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        """Attach the explanation to the member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        return member

    ACCEPTED = "Accepted", "Whether the spec is valid and does not conflict with other objects."
    RESOLVED_REFS = (
        "ResolvedRefs",
        "Whether every object that the spec refers to exists and permits the reference.",
    )
    PROGRAMMED = "Programmed", "Whether the pods have confirmed that they serve the spec."
    READY = (
        "Ready",
        "The summary. If it is False, it has the reason of the condition that caused it.",
    )
    DEGRADED = (
        "Degraded",
        (
            "Whether an MCPServer serves less than it selects. False is the good status for "
            "this condition only."
        ),
    )


REASONS: Final[Mapping[ConditionType, Mapping[bool | None, tuple[Reason, ...]]]] = {
    ConditionType.ACCEPTED: {
        True: (
            Reason.ACCEPTED,
            Reason.DISABLED,
            Reason.INGRESS_PATH_IGNORED,
            Reason.HIDDEN_CHARACTERS,
            Reason.EGRESS_INCOMPLETE,
        ),
        False: (
            Reason.INVALID,
            Reason.INVALID_SCHEMA,
            Reason.SCHEMA_TOO_COMPLEX,
            Reason.UNDECLARED_ARGUMENT,
            Reason.UNDECLARED_VARIABLE,
            Reason.DUPLICATE_NAME,
            Reason.CATALOG_TOO_LARGE,
            Reason.SECRET_NOT_DELIVERED,
        ),
    },
    ConditionType.RESOLVED_REFS: {
        True: (Reason.RESOLVED_REFS,),
        False: (
            Reason.SERVICE_NOT_FOUND,
            Reason.SERVICE_UNSUPPORTED,
            Reason.PORT_NOT_FOUND,
            Reason.REF_NOT_PERMITTED,
            Reason.CONFIG_MAP_NOT_FOUND,
            Reason.SECRET_NOT_FOUND,
            Reason.GATEWAY_API_MISSING,
            Reason.SERVICE_ACCOUNT_NOT_USABLE,
            Reason.OBJECTS_UNRESOLVED,
        ),
    },
    ConditionType.PROGRAMMED: {
        True: (Reason.PROGRAMMED,),
        None: (Reason.NOT_REPORTED,),
        False: (
            Reason.NOT_SELECTED,
            Reason.NOT_ACCEPTED,
            Reason.DISABLED,
            Reason.SERVER_NOT_PROGRAMMED,
            Reason.PROPAGATING,
            Reason.NO_READY_PODS,
            Reason.SCALED_TO_ZERO,
            Reason.CONFLICT,
            Reason.APPLY_FAILED,
        ),
    },
    ConditionType.READY: {
        True: (Reason.READY, Reason.NOT_REPORTED, Reason.DISABLED, Reason.SCALED_TO_ZERO),
        False: (Reason.UNAVAILABLE, Reason.NOTHING_SERVED),
    },
    ConditionType.DEGRADED: {
        True: (
            Reason.PODS_FAILING,
            Reason.KIND_MISSING,
            Reason.SESSION_KEY_MISSING,
            Reason.REDIS_UNAVAILABLE,
            Reason.OBJECTS_REJECTED,
        ),
        False: (Reason.HEALTHY,),
    },
}
"""The reasons that each condition can have by itself, by its status; None is Unknown."""

STATUS: Final[Mapping[bool | None, str]] = {True: "True", False: "False", None: "Unknown"}
"""How a status is written."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as it is now; `merge` adds the transition times.

    A status of None is Unknown.
    """

    type: ConditionType
    status: bool | None
    reason: Reason
    message: str = ""

    @property
    def good(self) -> bool:
        """Tell whether the status is the good one or Unknown."""
        return self.status is not (self.type is ConditionType.DEGRADED)


def merge(
    current: Sequence[Mapping[str, Any]],
    decided: Iterable[Condition],
    *,
    generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """Return the conditions to write. `lastTransitionTime` changes only when the status does.

    Args:
        current: The present `status.conditions`; types that are not in `decided` are dropped.
        decided: The complete new set.
        generation: The generation of the spec that the new set is about.
        now: The transition time of the conditions that changed.
    """
    before = {condition["type"]: condition for condition in current}
    merged = []
    for condition in decided:
        status = STATUS[condition.status]
        old = before.get(condition.type)
        unchanged = old is not None and old["status"] == status
        merged.append(
            {
                "type": str(condition.type),
                "status": status,
                "reason": str(condition.reason),
                "message": _bounded(condition.message or condition.reason.explanation),
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"]
                if old is not None and unchanged
                else rfc3339(now),
            }
        )
    return merged


def transitions(
    current: Sequence[Mapping[str, Any]], merged: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the merged conditions whose status or reason differs from the current ones."""
    before = {
        condition["type"]: (condition["status"], condition["reason"]) for condition in current
    }
    return [
        condition
        for condition in merged
        if before.get(condition["type"]) != (condition["status"], condition["reason"])
    ]


def is_true(obj: Mapping[str, Any], type_: str) -> bool:
    """Tell whether an object has the condition with status True."""
    return any(
        condition["type"] == type_ and condition["status"] == "True"
        for condition in (obj.get("status") or {}).get("conditions") or ()
    )


def has_reason(obj: Mapping[str, Any], type_: ConditionType, reasons: Collection[Reason]) -> bool:
    """Tell whether an object has the condition with one of the given reasons."""
    return any(
        condition["type"] == type_ and condition.get("reason") in reasons
        for condition in (obj.get("status") or {}).get("conditions") or ()
    )


def _bounded(message: str) -> str:
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
