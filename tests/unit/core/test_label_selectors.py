"""Label selectors in the syntax of kubectl."""

from __future__ import annotations

import pytest

from mcp_operator.core.label_selectors import parse_selector

MATCHING = [
    ("team=shop", {"team": "shop"}),
    ("team==shop", {"team": "shop"}),
    ("team!=shop", {}),
    ("team in (shop, ops)", {"team": "ops"}),
    ("team notin (shop,ops)", {"team": "red"}),
    ("team notin (shop)", {}),
    ("example.com/team", {"example.com/team": ""}),
    ("!team", {"other": "x"}),
    (" team = shop , !old,env in ( a ) ", {"team": "shop", "env": "a"}),
    ("team=", {"team": ""}),
    ("in in (in)", {"in": "in"}),
]
OTHERS = [
    ("team=shop", {"team": "ops"}),
    ("team!=shop", {"team": "shop"}),
    ("team in (shop, ops)", {}),
    ("team notin (shop,ops)", {"team": "ops"}),
    ("example.com/team", {"team": ""}),
    ("!team", {"team": ""}),
    ("team=shop,!old", {"team": "shop", "old": "x"}),
]
WRONG = [
    "",
    " ",
    ",",
    "team=shop,",
    "team=shop,,env=a",
    "team=shop env=a",
    "team in shop",
    "team in ()extra",
    "!team=shop",
    "!team in (shop)",
    "team<3",
    "team=a b",
    "-team",
    "team=" + "x" * 64,
    "/team",
]


@pytest.mark.parametrize(("text", "labels"), MATCHING)
def test_a_selector_matches_labels(text: str, labels: dict[str, str]) -> None:
    assert parse_selector(text).matches(labels)


@pytest.mark.parametrize(("text", "labels"), OTHERS)
def test_a_selector_does_not_match_other_labels(text: str, labels: dict[str, str]) -> None:
    assert not parse_selector(text).matches(labels)


@pytest.mark.parametrize("text", WRONG)
def test_an_invalid_selector_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"label selector|comma"):
        parse_selector(text)
