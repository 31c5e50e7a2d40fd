"""`when` of a rule: a condition on the identity of a client."""

from __future__ import annotations

import pytest

from mcp_operator.api.budget import SelectionError
from mcp_operator.api.rule_when import RuleWhen

CLAIMS = {"department": "sales", "groups": ["staff", "eu"], "level": 3, "a.b": True, "big": 10**30}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("principal == 'alice'", True),
        ("principal.startsWith('team-')", False),
        ("'orders:write' in scopes", True),
        ("'admin' in scopes", False),
        ("claims.department == 'sales' && claims.level >= 3", True),
        ("claims.groups.exists(g, g in ['root', 'staff'])", True),
        ("claims.groups.exists(g, g == principal)", False),
        ("claims['a.b']", True),
        ("has(claims.manager)", False),
        ("'manager' in claims || size(claims) > 4", True),
        ("claims.big > 1e29", True),
    ],
)
def test_a_condition_decides_whether_a_rule_applies_to_a_client(
    condition: str,
    expected: bool,  # noqa: FBT001
) -> None:
    assert RuleWhen(condition).holds("alice", {"orders:write"}, CLAIMS) is expected


@pytest.mark.parametrize(
    ("condition", "fragment"),
    [
        ("claims.a ==", "not CEL"),
        ("principal + 'x'", "does not return a boolean; compare values"),
        ("claims", "does not return a boolean; compare values"),
        ("name == 'search'", "a name other than principal, scopes, claims"),
        ("fail(principal)", "a name other than principal, scopes, claims"),
        ("claims.a.exists(x, claims.b.exists(y, x == y))", "whole claims again"),
        ("claims.a.exists(x, x in scopes)", "whole scopes again"),
        ("claims.a.map(x, x) == []", "uses map()"),
        ("principal.matches(claims.pattern)", "with a regular expression as a literal"),
        ("true || " * 200 + "true", "longer than"),
    ],
)
def test_an_invalid_or_costly_condition_is_rejected(condition: str, fragment: str) -> None:
    with pytest.raises(SelectionError, match=fragment.replace("(", r"\(").replace(")", r"\)")):
        RuleWhen(condition)


@pytest.mark.parametrize(
    "condition", ["claims.manager == 'eve'", "claims.level", "claims.department > 5"]
)
def test_an_evaluation_error_does_not_quote_the_claims(condition: str) -> None:
    with pytest.raises(SelectionError) as caught:
        RuleWhen(condition).holds("alice", (), {"level": "canary", "department": "canary"})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("condition", "claims"),
    [
        ("principal == 'claims.x'", set()),
        ("claims.a == claims . b && has(claims.c.d)", {"a", "b", "c"}),
        ("claims['a.b'] && claims[\"c\"].exists(g, g == 'x')", {"a.b", "c"}),
        ("'a' in claims", None),
        ("claims[principal]", None),
        ("claims['a' + 'b'] == 'c'", None),
        ("size(claims) > 1", None),
    ],
)
def test_the_claims_that_a_condition_reads_are_known(
    condition: str, claims: set[str] | None
) -> None:
    assert RuleWhen(condition).claims == claims
