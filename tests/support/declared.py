"""Whether conditions keep to the reasons that are documented."""

from __future__ import annotations

from collections.abc import Iterable

from mcp_operator.api.conditions import REASONS, Condition, ConditionType

CAUSES = (ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS, ConditionType.PROGRAMMED)


def declared(conditions: Iterable[Condition]) -> dict[ConditionType, Condition]:
    """Return conditions by type; fail where one has a reason that is not among its own.

    Ready, while False, may also have the reason of what is to blame.
    """
    by_type = {condition.type: condition for condition in conditions}
    for type_, condition in by_type.items():
        allowed = set(REASONS[type_][condition.status])
        if type_ is ConditionType.READY and not condition.status:
            allowed.update(reason for cause in CAUSES for reason in REASONS[cause][False])
        assert condition.reason in allowed, condition
    return by_type
