"""Conditions after KEP-1623: what they are, and how a new set is merged into the old one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mcp_operator.api.reasons import Reason
from mcp_operator.core.clock import rfc3339

MESSAGE_LIMIT = 1024
"""A message is a sentence or a few; metav1.Condition itself allows 32,768 characters."""


class ConditionType(StrEnum):
    """The condition types of the four kinds. All but Degraded are good when True."""

    ACCEPTED = "Accepted"
    RESOLVED_REFS = "ResolvedRefs"
    PROGRAMMED = "Programmed"
    READY = "Ready"
    DEGRADED = "Degraded"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as decided now; transition times are added by `merge`."""

    type: ConditionType
    status: bool
    reason: Reason
    message: str = ""

    @property
    def good(self) -> bool:
        """Tell whether this is the status that a user hopes for."""
        return self.status != (self.type is ConditionType.DEGRADED)


def merge(
    current: Sequence[Mapping[str, Any]],
    decided: Iterable[Condition],
    *,
    generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """Return the conditions to write: `lastTransitionTime` moves only when a status does.

    Args:
        current: `status.conditions` as it stands; types that are not decided here are dropped.
        decided: The whole new set.
        generation: The generation of the spec that was decided on.
        now: The transition time of those that changed.
    """
    before = {condition["type"]: condition for condition in current}
    merged = []
    for condition in decided:
        status = "True" if condition.status else "False"
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


def is_true(obj: Mapping[str, Any], type_: ConditionType) -> bool:
    """Tell whether an object's status holds the condition with status True."""
    return any(
        condition["type"] == type_ and condition["status"] == "True"
        for condition in (obj.get("status") or {}).get("conditions") or ()
    )


def _bounded(message: str) -> str:
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
