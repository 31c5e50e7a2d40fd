"""The reasons of conditions: an interface, so complete, stable in form, and explained."""

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


def test_every_condition_has_reasons_for_both_of_its_statuses() -> None:
    assert set(REASONS) == set(ConditionType)
    for by_status in REASONS.values():
        assert set(by_status) == {True, False}
        assert all(by_status.values())


def test_one_reason_does_not_stand_for_both_statuses_of_a_condition() -> None:
    for type_, by_status in REASONS.items():
        assert not set(by_status[True]) & set(by_status[False]), type_


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_camel_case_word_and_a_sentence(reason: Reason) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", reason)
    assert reason.explanation.endswith(".")


def test_a_reason_is_written_as_its_word() -> None:
    assert f"{Reason.SERVICE_NOT_FOUND}" == "ServiceNotFound"
