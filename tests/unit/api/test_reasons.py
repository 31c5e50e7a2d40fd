"""The reasons of conditions, which are part of the API: complete, stable in form, and explained."""

from __future__ import annotations

import re

import pytest

from mcp_operator.api.conditions import REASONS, ConditionType
from mcp_operator.api.reasons import Reason


def test_every_reason_belongs_to_a_condition() -> None:
    declared = {
        reason for by_status in REASONS.values() for each in by_status.values() for reason in each
    }
    assert declared == set(Reason)


def test_every_condition_has_reasons_for_true_and_false() -> None:
    assert set(REASONS) == set(ConditionType)
    for by_status in REASONS.values():
        assert {True, False} <= set(by_status)
        assert all(by_status.values())


def test_only_the_condition_programmed_can_be_unknown() -> None:
    assert {type_ for type_ in REASONS if None in REASONS[type_]} == {ConditionType.PROGRAMMED}


def test_no_reason_belongs_to_two_statuses_of_a_condition() -> None:
    for type_, by_status in REASONS.items():
        every = [reason for reasons in by_status.values() for reason in reasons]
        assert len(every) == len(set(every)), type_


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_camel_case_word_with_an_explanation(reason: Reason) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", reason)
    assert reason.explanation.endswith(".")


def test_a_reason_formats_as_its_value() -> None:
    assert f"{Reason.SERVICE_NOT_FOUND}" == "ServiceNotFound"
