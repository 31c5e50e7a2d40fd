"""How many values a JSON text holds is told before it is parsed, and by what it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.gateway.weight import holds_more

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='a,[{"\\', max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet=',"a\\'), inner),
    max_leaves=40,
)


def values_in(value: Any) -> int:
    """Count values by parsing, as no bound may."""
    if isinstance(value, dict):
        return 1 + sum(map(values_in, value.values()))
    return 1 + sum(map(values_in, value)) if isinstance(value, list) else 1


@given(VALUES)
def test_a_text_of_few_values_is_let_through(value: Any) -> None:
    assert not holds_more(json.dumps(value).encode(), 2 * values_in(value))


@given(VALUES)
def test_a_text_of_many_values_is_told(value: Any) -> None:
    many = values_in(value)

    assert many == 1 or holds_more(json.dumps(value).encode(), many // 2 - 1)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps("Lorem, ipsum [dolor] {sit}, " * 10_000),
        json.dumps('{"a": [1, 2]}' * 10_000),
        '"' + r"\"," * 10_000 + '"',
        json.dumps({"text": ",", "other": "[" * 10_000}),
    ],
)
def test_signs_in_strings_do_not_count(text: str) -> None:
    assert not holds_more(text.encode(), 100)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 101,
        "[]," * 101,
        '["",' * 101,
        json.dumps(['",'] * 101),
        json.dumps(dict.fromkeys(range(101))),
    ],
)
def test_signs_between_strings_count(text: str) -> None:
    assert holds_more(text.encode(), 99)
