"""Conditions, and how they change between two reconciliations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.api.conditions import (
    MESSAGE_LIMIT,
    Condition,
    ConditionType,
    is_true,
    merge,
    transitions,
)
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.common import Condition as ConditionSchema
from mcp_operator.core.clock import rfc3339

FEW = settings(max_examples=40)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

DECIDED = st.builds(
    Condition, st.sampled_from(ConditionType), st.booleans(), st.sampled_from(Reason), st.text()
)
SETS = st.lists(DECIDED, unique_by=lambda condition: condition.type)


def ready(message: str = "") -> Condition:
    return Condition(ConditionType.READY, status=True, reason=Reason.READY, message=message)


def unready(reason: Reason, message: str = "") -> Condition:
    return Condition(ConditionType.READY, status=False, reason=reason, message=message)


def merged(
    current: list[dict[str, Any]], *decided: Condition, generation: int = 1, after: float = 0
) -> list[dict[str, Any]]:
    now = NOON + timedelta(seconds=after)
    return merge(current, decided, generation=generation, now=now)


@FEW
@given(SETS, SETS, st.integers(1, 9))
def test_the_transition_time_changes_exactly_when_the_status_changes(
    first: list[Condition], second: list[Condition], seconds: int
) -> None:
    before = merged([], *first)
    after = merged(before, *second, after=seconds)
    statuses = {condition["type"]: condition["status"] for condition in before}
    for condition in after:
        kept = statuses.get(condition["type"]) == condition["status"]
        moment = NOON if kept else NOON + timedelta(seconds=seconds)
        assert condition["lastTransitionTime"] == rfc3339(moment)


@FEW
@given(SETS, SETS)
def test_the_decided_conditions_are_written_in_order(
    first: list[Condition], second: list[Condition]
) -> None:
    after = merged(merged([], *first), *second)
    assert [condition["type"] for condition in after] == [one.type for one in second]
    assert [condition["status"] == "True" for condition in after] == [one.status for one in second]
    assert [condition["reason"] for condition in after] == [one.reason for one in second]


@FEW
@given(SETS)
def test_every_decided_condition_matches_the_schema(decided: list[Condition]) -> None:
    for condition in merged([], *decided):
        ConditionSchema.model_validate(condition)
        assert 0 < len(condition["message"]) <= MESSAGE_LIMIT
        assert type(condition["type"]) is type(condition["reason"]) is str


@FEW
@given(SETS)
def test_deciding_the_same_conditions_again_changes_nothing(decided: list[Condition]) -> None:
    before = merged([], *decided)
    assert merged(before, *decided, after=60) == before
    assert transitions(before, merged(before, *decided, after=60)) == []


def test_a_condition_without_a_message_has_the_explanation_of_its_reason() -> None:
    [condition] = merged([], unready(Reason.NO_READY_PODS))
    assert condition["message"] == "No pod of the server is ready."


def test_a_message_that_is_too_long_ends_with_an_ellipsis() -> None:
    [long] = merged([], ready("x" * (MESSAGE_LIMIT + 1)))
    assert long["message"] == "x" * (MESSAGE_LIMIT - 1) + "…"
    [full] = merged([], ready("x" * MESSAGE_LIMIT))
    assert full["message"] == "x" * MESSAGE_LIMIT


def test_every_condition_has_the_generation_that_it_was_decided_for() -> None:
    before = merged([], ready(), generation=1)
    [after] = merged(before, ready(), generation=2)
    assert after["observedGeneration"] == 2


def test_a_new_status_or_reason_is_a_transition_and_a_new_message_is_not() -> None:
    before = merged([], unready(Reason.PROPAGATING, "1 of 2"))
    same = merged(before, unready(Reason.PROPAGATING, "1 of 3"))
    assert transitions(before, same) == []
    other_reason = merged(before, unready(Reason.NO_READY_PODS))
    assert transitions(before, other_reason) == other_reason
    other_status = merged(before, ready())
    assert transitions(before, other_status) == other_status
    assert transitions([], before) == before


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"conditions": merged([], ready())}, True),
        ({"conditions": merged([], unready(Reason.UNAVAILABLE))}, False),
        ({"conditions": []}, False),
        ({"conditions": None}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_condition_is_true_only_if_the_status_says_so(
    status: dict[str, Any] | None, *, expected: bool
) -> None:
    assert is_true({"status": status}, ConditionType.READY) is expected
    assert not is_true({"status": status}, ConditionType.PROGRAMMED)


def test_an_object_without_a_status_has_no_true_condition() -> None:
    assert not is_true({}, ConditionType.READY)


@pytest.mark.parametrize("type_", ConditionType)
def test_all_conditions_except_degraded_are_good_when_true(type_: ConditionType) -> None:
    good = Condition(type_, status=True, reason=Reason.READY).good
    assert good is (type_ is not ConditionType.DEGRADED)
    assert Condition(type_, status=False, reason=Reason.READY).good is not good
