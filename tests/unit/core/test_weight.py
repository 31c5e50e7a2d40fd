"""The number of values in a JSON text is counted before the text is parsed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.core.weight import STRING, at_most, holds_more

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='a,[{"\\', max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet=',"a\\'), inner),
    max_leaves=40,
)


def values_in(value: Any) -> int:
    """Count values by parsing, for comparison."""
    if isinstance(value, dict):
        return 1 + sum(map(values_in, value.values()))
    return 1 + sum(map(values_in, value)) if isinstance(value, list) else 1


@given(VALUES)
def test_values_are_counted_exactly(value: Any) -> None:
    text, many = json.dumps(value).encode(), values_in(value)

    assert not holds_more(text, many)
    assert holds_more(text, many - 1)
    assert at_most(text) >= many


@given(VALUES)
def test_an_empty_value_with_a_space_counts_at_most_twice(value: Any) -> None:
    text = json.dumps(value, indent=1).replace("[]", "[ ]").replace("{}", "{ }").encode()

    assert not holds_more(text, 2 * values_in(value))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps("Lorem, ipsum [dolor] {sit}, " * 10_000),
        json.dumps('{"a": [1, 2]}' * 10_000),
        '"' + r"\"," * 10_000 + '"',
        json.dumps({"text": ",", "other": "[" * 10_000}),
    ],
)
def test_punctuation_within_strings_is_not_counted(text: str) -> None:
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
def test_punctuation_between_strings_is_counted(text: str) -> None:
    assert holds_more(text.encode(), 99)


def test_an_unclosed_string_is_scanned_once() -> None:
    text = (
        b"[" + b"," * 200 + b'"' + rb"\"," * 20_000
    )  # takes minutes if it is scanned again at each quote

    assert not holds_more(text, 202)
    assert [match.end() for match in STRING.finditer(text)] == [len(text)]
