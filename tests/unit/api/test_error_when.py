from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.budget import SelectionError
from mcp_operator.api.error_when import ErrorWhen

BODY = {"ok": False, "code": 12, "errors": [{"level": "warn"}, {"level": "fatal"}], "n": 10**30}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("!body.ok", True),
        ("body.code != 0", True),
        ("has(body.errors)", True),
        ("has(body.error)", False),
        ("'error' in body", False),
        ("size(body.errors) > 2", False),
        ("body.errors.exists(e, e.level == 'fatal')", True),
        ("body.errors.all(e, e.level == 'body')", False),
        ("status == 200 && headers['x-app-error'] == 'yes'", True),
        ("body.n > 1e29", True),
        ("body.errors[0].level.matches('^w')", True),
        (r"body.errors[1].level.matches(r'^\w{1,3}[\\d]?\.?al?$')", True),
        ("body.errors.exists(e, e.level.matches('f|g'))", True),
    ],
)
def test_a_condition_detects_a_failed_answer(condition: str, expected: object) -> None:
    assert ErrorWhen(condition).holds(200, {"x-app-error": "yes"}, BODY) is expected


def test_a_condition_can_read_a_text_body() -> None:
    assert ErrorWhen("body.contains('ORA-')").holds(200, {}, "<p>ORA-00942</p>")


@pytest.mark.parametrize(
    ("condition", "body"), [("!body.ok", {}), ("body.ok", "text"), ("body.ok", None), ("status", 1)]
)
def test_a_condition_that_cannot_be_evaluated_raises_an_error(condition: str, body: Any) -> None:
    with pytest.raises(SelectionError):
        ErrorWhen(condition).holds(200, {}, body)


@pytest.mark.parametrize(
    ("condition", "fragment"),
    [
        ("", "not CEL"),
        ("body.ok ==", "not CEL"),
        ("status", "does not return a boolean; compare values"),
        ("response.ok", "a name other than status, headers, body"),
        ("fail(body)", "a name other than status, headers, body"),
        ("body.a.all(x, body.b.all(y, x == y))", "whole body again"),
        ("body.a.all(x, x.all(y, y))", "in another; use one"),
        ("body.a.exists (x, x in headers)", "whole headers again"),
        ("body.a.map(x, [x, x]).size() > 1", "uses map()"),
        ("optional.of(body).optMap(x, [x, x]) == body", "uses map()"),
        ("body.a.existsOne(x, x.exists_one(y, y))", "in another; use one"),
        ("true // body", "has a comment"),
        ("true || " * 200 + "true", "longer than"),
        ("(" * 400 + "true" + ")" * 400, "not CEL"),
        (r"body.matches('\\pL{200}')", "would take 11 MiB when compiled"),
        (r"body . matches(r'\pL{200}')", "would take 11 MiB when compiled"),
        ("body.matches('(a{1000}){1000}')", "would take"),
        ("body.matches(body)", "with a regular expression as a literal"),
        ("body.matches('a' + body)", "with a regular expression as a literal"),
        ("matches(body, 'a')", "with a regular expression as a literal"),
        ("body.all(x, x.matches(x))", "with a regular expression as a literal"),
    ],
)
def test_an_invalid_or_costly_condition_is_rejected(condition: str, fragment: str) -> None:
    with pytest.raises(SelectionError, match=fragment.replace("(", r"\(").replace(")", r"\)")):
        ErrorWhen(condition)


def test_a_condition_can_be_an_answer_that_is_a_boolean() -> None:
    assert ErrorWhen("body").holds(200, {}, body=True)
    with pytest.raises(SelectionError, match="does not return a boolean"):
        ErrorWhen("body").holds(200, {}, "true")


def test_chained_macros_are_not_rejected_as_nested() -> None:
    chain = "body.errors.filter(e, e.level == 'fatal').exists(e, true) && has(body.ok)"
    assert ErrorWhen(chain).holds(200, {}, BODY)
    assert ErrorWhen("body.errors.exists(e, e.level == 'a.all(b') || !body.ok").holds(200, {}, BODY)


@pytest.mark.parametrize(
    "condition",
    [
        "body.map[body.secret] == 1",
        "{'a': 1}[body.secret] == 1",
        "duration(body.secret) > duration('1s')",
        "int(body.secret) == 1",
        "body.secret > 5",
        "body.secret",
    ],
)
def test_an_evaluation_error_does_not_quote_the_answer(condition: str) -> None:
    with pytest.raises(SelectionError) as caught:
        ErrorWhen(condition).holds(200, {}, {"map": {}, "secret": "canary"})
    assert "canary" not in str(caught.value)


def test_an_evaluation_error_names_the_missing_field() -> None:
    with pytest.raises(SelectionError, match="'missing'"):
        ErrorWhen("body.missing").holds(200, {}, {})
