"""Patterns with look-around match as before, and their work is bounded."""

from __future__ import annotations

from typing import Any

import pytest

from bench.calibration import relative_work
from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.api.lookaround import is_costly

WORST = 20.0
"""Of the fixed work, which takes some 10 ms: twenty times what the budget comes to."""

COSTLY = "(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9]{8,}"


def schema(**properties: Any) -> CompiledSchema:
    return CompiledSchema({"type": "object", "properties": properties})


@pytest.mark.parametrize(
    "pattern",
    [COSTLY, "(?!.*b)c", r"(a+)\1b", "(?=(a+))b", "^(?:(?=.*Z).)*Z", "^(?=a)b|(?=c)d", "^a(?=b)"],
)
def test_a_pattern_with_look_around_is_costly(pattern: str) -> None:
    assert is_costly(pattern)


@pytest.mark.parametrize(
    "pattern", ["^[a-z]+$", "(a+)+b", r"^(?!\s*$).+", r"^(?=.*[A-Z])(?=.*\d)[A-Za-z\d]{8,}$"]
)
def test_a_pattern_that_looks_ahead_only_at_the_start_is_not_costly(pattern: str) -> None:
    assert not is_costly(pattern)


def test_a_costly_pattern_is_matched_with_strings_only() -> None:
    compiled = schema(pw={"pattern": COSTLY})

    assert compiled.errors({"pw": "Passw0rd"}) == []
    assert compiled.errors({"pw": 5}) == []
    assert compiled.errors({"pw": "password"}) == [f'pw: "password" does not match "{COSTLY}"']


def test_a_costly_pattern_applies_in_every_subschema() -> None:
    compiled = CompiledSchema(
        {
            "$defs": {"pw": {"pattern": COSTLY}},
            "properties": {"a": {"anyOf": [{"items": {"$ref": "#/$defs/pw"}}]}, "pattern": True},
            "enum": [{"a": ["Passw0rd"]}, {"a": ["no"]}, {"pattern": COSTLY}],
        }
    )

    assert compiled.errors({"a": ["Passw0rd"]}) == []
    assert compiled.errors({"a": ["no"]}) != []
    assert compiled.errors({"pattern": COSTLY}) == []


def test_an_error_says_when_a_text_is_too_long() -> None:
    (error,) = schema(pw={"pattern": COSTLY}).errors({"pw": "A1" * 600})

    assert error == f'pw: a text is too long to be matched with "{COSTLY}": shorten it'


def test_each_value_has_a_budget_of_its_own() -> None:
    compiled = schema(pw={"pattern": COSTLY})

    for _ in range(5):
        assert compiled.errors({"pw": "A1" * 450}) == []


@pytest.mark.parametrize(
    "value",
    [
        {"pw": "a" * 400_000},
        {"pw": "a" * 999},
        {"all": ["a" * 500] * 1000},
        {"all": ["a"] * 100_000},
    ],
)
def test_hostile_texts_take_bounded_work(value: Any) -> None:
    compiled = schema(pw={"pattern": COSTLY}, all={"items": {"pattern": "(?=(a+))b"}})

    assert relative_work(lambda: compiled.errors(value)) < WORST
