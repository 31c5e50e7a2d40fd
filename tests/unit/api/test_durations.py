"""Durations such as 1m30s."""

from __future__ import annotations

import pytest

from mcp_operator.api.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("1m30s", 90.0), ("250ms", 0.25), ("2h", 7200.0), ("1s500ms", 1.5)],
)
def test_a_duration_is_parsed_to_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0s", "30", "s", "-1s", "1.5s", "1d", "1s ", "1s\n", "01s"])
def test_an_invalid_duration_is_rejected_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write one such as 30s, 1m30s or 250ms"):
        parse_duration(text)
