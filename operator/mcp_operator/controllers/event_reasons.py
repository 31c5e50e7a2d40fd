"""The reasons of the Events that the operator records, which docs/reference/events.md lists."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, Self

from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason

EventType = Literal["Normal", "Warning"]

EVENT_CONDITIONS: Final = frozenset({ConditionType.READY, ConditionType.DEGRADED})
"""The conditions whose transitions are recorded as Events; Ready includes the others' reasons."""

EXPECTED_REASONS: Final = frozenset({Reason.NOT_SELECTED})
"""Reasons that may be no problem: tools can be created before the server that selects them."""


class EventReason(StrEnum):
    """Reasons of Events that are not reasons of conditions; the value is the field `reason`."""

    type: EventType
    explanation: str

    def __new__(cls, value: str, type_: EventType, explanation: str) -> Self:
        """Attach the type and the explanation to the member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.type = type_
        member.explanation = explanation
        return member

    RUN_ELSEWHERE = (
        "RunElsewhere",
        "Warning",
        "Another installation of the operator runs this MCPServer. This one does not change it.",
    )
    TOOL_DEFINITION_CHANGED = (
        "ToolDefinitionChanged",
        "Normal",
        "The definition of a served tool changed. The note has its new digest: review the change.",
    )


def event_type(condition: str, status: str, reason: str) -> EventType:
    """Return the type of the Event about the transition of a condition."""
    good = (status == "True") != (condition == ConditionType.DEGRADED)
    return "Normal" if good or reason in EXPECTED_REASONS else "Warning"
