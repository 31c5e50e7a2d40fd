"""Checks that conditions have documented reasons."""

from __future__ import annotations

from collections.abc import Iterable

from mcp_operator.api.conditions import REASONS, Condition, ConditionType

CAUSES = (ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS, ConditionType.PROGRAMMED)


def declared(conditions: Iterable[Condition]) -> dict[ConditionType, Condition]:
    """Return conditions by type; fail if one has a reason that is not documented for it.

    If Ready is False, it can also have the reason of the condition that causes it.
    """
    by_type = {condition.type: condition for condition in conditions}
    for type_, condition in by_type.items():
        allowed = set(REASONS[type_][condition.status])
        if type_ is ConditionType.READY and not condition.status:
            allowed.update(reason for cause in CAUSES for reason in REASONS[cause][False])
        assert condition.reason in allowed, condition
    return by_type
