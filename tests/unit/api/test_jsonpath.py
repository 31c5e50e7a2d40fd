from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.budget import SelectionError
from mcp_operator.api.jsonpath import JsonPath

DOCUMENT = {
    "items": [{"name": "a", "p": 1.5, "t": ["x"]}, {"name": None, "p": 20}],
    "odd name": {"": 1},
    "n": {"0": "zero"},
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$", DOCUMENT),
        ("$.items", DOCUMENT["items"]),
        ("$.items[0].name", "a"),
        ("$.items[-1]['name']", None),
        ("$['odd name']['']", 1),
        ("$.n['0']", "zero"),
        ("$.items[*].name", ["a", None]),
        ("$..name", ["a", None]),
        ("$.items[0:1].p", [1.5]),
        ("$.items[0,1].p", [1.5, 20]),
        ("$.items[?@.p<10].name", ["a"]),
        ("$.items[?@.t && count(@.*) > 2].name", ["a"]),
        ("$.items[?match(@.name, 'a.?')].p", [1.5]),
        ("$.items[?search(@.name, '[')].p", []),
        ("$.items[?@ == $.items[1]].p", [20]),
        ("$..nothing", []),
    ],
)
def test_a_query_selects_values_as_in_rfc_9535(query: str, expected: Any) -> None:
    assert JsonPath(query).select(DOCUMENT) == expected


@pytest.mark.parametrize("query", ["$.absent", "$.items[2]", "$.items.name", "$.n[0]", "$[0]"])
def test_a_query_for_a_single_missing_value_raises_an_error(query: str) -> None:
    with pytest.raises(SelectionError, match="nothing at"):
        JsonPath(query).select(DOCUMENT)


@pytest.mark.parametrize("document", [None, 1, "text", '{"a":1}'])
def test_queries_on_a_scalar_find_only_the_root(document: Any) -> None:
    assert JsonPath("$").select(document) == document
    assert JsonPath("$.*").select(document) == []
    with pytest.raises(SelectionError):
        JsonPath("$.a").select(document)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "items",
        "$items",
        "$.a.",
        "$['a",
        "$[",
        "$.a | $.b",
        "$.a & $.b",
        "$[?nosuch(@)]",
        " $.a",
        "$[?@.a in $.b]",
        "$.~",
        "$" + "[?@" * 300 + "]" * 300,
        "$.a" * 400,
    ],
)
def test_an_invalid_query_is_rejected_when_it_is_compiled(query: str) -> None:
    with pytest.raises(SelectionError, match="JSON path"):
        JsonPath(query)


@pytest.mark.parametrize(
    "query",
    [
        "$[?$[?$[?@.a == 1]]]",
        "$..b[?@ > $[0].a]..*",
        "$[?count($..*) > count(@..*)]..*",
        "$[?$[?@.b == $[0]] && $[?$[?@.c]]]",
    ],
)
def test_a_costly_query_stops_at_its_budget(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_operator.api.budget.Budget.__init__.__defaults__", (20_000,))
    document = [{"a": number, "b": [number] * 3} for number in range(3000)]
    with pytest.raises(SelectionError, match="steps on this answer"):
        JsonPath(query).select(document)


def test_a_regular_expression_takes_linear_time() -> None:
    document = [{"s": "a" * 50_000 + "b"}]
    assert JsonPath("$[?search(@.s, '(a+)+$')]").select(document) == []
    assert JsonPath("$[?match(@.s, '(a|aa)+')]").select(document) == []
