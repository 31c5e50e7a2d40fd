from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.gateway.upstream.jsonpath import JsonPath, JsonPathError

DOCUMENT = {"items": [{"name": "a"}, {"name": None}], "odd name": {"": 1}, "n": {"0": "zero"}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", DOCUMENT),
        ("$.items", DOCUMENT["items"]),
        ("$.items[0].name", "a"),
        ("$['items'][1]['name']", None),
        ("$['odd name']['']", 1),
        ("$.n['0']", "zero"),
    ],
)
def test_a_path_picks_its_part(path: str, expected: Any) -> None:
    assert JsonPath(path).select(DOCUMENT) == expected


@pytest.mark.parametrize("path", ["$.absent", "$.items[2]", "$.items.name", "$.n[0]", "$[0]"])
def test_nothing_there_is_said_with_the_path(path: str) -> None:
    with pytest.raises(JsonPathError, match="nothing at"):
        JsonPath(path).select(DOCUMENT)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "items",
        "$items",
        "$..name",
        "$.*",
        "$[*]",
        "$[0:2]",
        "$[?(@.a)]",
        "$.a.",
        "$['a",
        "$[-1]",
    ],
)
def test_what_is_not_supported_is_refused_at_once(path: str) -> None:
    with pytest.raises(JsonPathError):
        JsonPath(path)
