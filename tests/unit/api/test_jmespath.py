from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.budget import SelectionError
from mcp_operator.api.jmespath import JmesPath
from mcp_operator.gateway import exact

DOCUMENT = exact.loads('{"items":[{"name":"a","p":1.50,"meta":{"x":1}},{"name":"b","p":20}]}')


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("items[*].{id: name, price: p}", [{"id": "a", "price": 1.5}, {"id": "b", "price": 20}]),
        ("length(items)", 2),
        ("sum(items[*].p)", 21.5),
        ("sort_by(items, &p)[-1].name", "b"),
        ("max_by(items, &p).name", "b"),
        ("items[?p < `10`].name | [0]", "a"),
        ("abs(items[0].p)", 1.5),
        ("items[].meta.x", [1]),
        ("nothing.here", None),
    ],
)
def test_an_expression_selects_and_renames_values(expression: str, expected: Any) -> None:
    assert JmesPath(expression).select(DOCUMENT) == expected


def test_selected_numbers_keep_their_notation() -> None:
    assert exact.dumps(exact.unfolded(JmesPath("items[0].p").select(DOCUMENT))) == b"1.50"


@pytest.mark.parametrize(
    "expression", ["", "items[", "nosuch(@)", "[?nosuch(a)]", "a." * 3000, "(" * 2000, "a b"]
)
def test_an_invalid_expression_is_rejected_when_it_is_compiled(expression: str) -> None:
    with pytest.raises(SelectionError, match="JMESPath"):
        JmesPath(expression)


@pytest.mark.parametrize("expression", ["length(`1`)", "to_number(items)[0] + 1", "abs('a')"])
def test_an_expression_that_fails_on_an_answer_raises_an_error(expression: str) -> None:
    with pytest.raises(SelectionError, match="JMESPath"):
        JmesPath(expression).select(DOCUMENT)


@pytest.mark.parametrize(
    "expression",
    [
        "|".join(["[@,@]"] * 60),
        "|".join(["{a:@,b:@}"] * 60),
        "|".join(["[@,@]"] * 30) + "|to_string(@)",
        "|".join(["join('',[@,@])"] * 60),
        "{a:" + "|".join(["[@,@]"] * 40) + ",b:" + "|".join(["[@,@]"] * 40) + "}|a==b",
        "|".join(["[*].[@,@][]"] * 40),
    ],
)
def test_an_expression_with_a_huge_result_stops_at_its_budget(expression: str) -> None:
    document: Any = "x" * 100 if "join" in expression else [1]
    with pytest.raises(SelectionError, match="steps on this answer"):
        JmesPath(expression).select(document)
