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
def test_a_condition_tells_a_failure(condition: str, expected: object) -> None:
    assert ErrorWhen(condition).holds(200, {"x-app-error": "yes"}, BODY) is expected


def test_a_condition_may_look_at_text() -> None:
    assert ErrorWhen("body.contains('ORA-')").holds(200, {}, "<p>ORA-00942</p>")


@pytest.mark.parametrize(
    ("condition", "body"), [("!body.ok", {}), ("body.ok", "text"), ("body.ok", None), ("status", 1)]
)
def test_what_cannot_be_told_is_said(condition: str, body: Any) -> None:
    with pytest.raises(SelectionError):
        ErrorWhen(condition).holds(200, {}, body)


@pytest.mark.parametrize(
    ("condition", "fragment"),
    [
        ("", "not CEL"),
        ("body.ok ==", "not CEL"),
        ("response.ok", "none of status, headers, body"),
        ("fail(body)", "none of status, headers, body"),
        ("body.a.all(x, body.b.all(y, x == y))", "whole body again"),
        ("body.a.all(x, x.all(y, y))", "inside of another"),
        ("body.a.exists (x, x in headers)", "whole headers again"),
        ("body.a.map(x, [x, x]).size() > 1", "not available: map()"),
        ("optional.of(body).optMap(x, [x, x]) == body", "not available: map()"),
        ("body.a.existsOne(x, x.exists_one(y, y))", "inside of another"),
        ("true // body", "comments"),
        ("true || " * 200 + "true", "longer than"),
        ("(" * 400 + "true" + ")" * 400, "not CEL"),
        (r"body.matches('\\pL{200}')", "would take 11 MiB when compiled"),
        (r"body . matches(r'\pL{200}')", "would take 11 MiB when compiled"),
        ("body.matches('(a{1000}){1000}')", "would take"),
        ("body.matches(body)", "with the expression written out"),
        ("body.matches('a' + body)", "with the expression written out"),
        ("matches(body, 'a')", "with the expression written out"),
        ("body.all(x, x.matches(x))", "with the expression written out"),
    ],
)
def test_what_is_no_condition_or_could_take_long_is_refused(condition: str, fragment: str) -> None:
    with pytest.raises(SelectionError, match=fragment.replace("(", r"\(").replace(")", r"\)")):
        ErrorWhen(condition)


def test_a_macro_after_a_macro_is_none_within_it() -> None:
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
def test_what_cannot_be_told_of_an_answer_quotes_nothing_of_it(condition: str) -> None:
    with pytest.raises(SelectionError) as caught:
        ErrorWhen(condition).holds(200, {}, {"map": {}, "secret": "canary"})
    assert "canary" not in str(caught.value)


def test_what_cannot_be_told_names_the_field_of_the_condition() -> None:
    with pytest.raises(SelectionError, match="'missing'"):
        ErrorWhen("body.missing").holds(200, {}, {})
