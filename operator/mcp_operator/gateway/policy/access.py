"""What a client is served: one decision, for lists and for calls. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mcp_operator.api.access import AccessRule
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.table import Kind


def holds(rule: AccessRule, principal: Principal) -> bool:
    """Tell whether every condition of a rule, which has at least one, holds for a client."""
    if not (rule.principals or rule.any_scope or rule.claims):
        return False
    return (
        (not rule.principals or any(matches(one, principal.name) for one in rule.principals))
        and (not rule.any_scope or not principal.scopes.isdisjoint(rule.any_scope))
        and all(
            any((claim.name, value) in principal.claims for value in claim.values)
            for claim in rule.claims
        )
    )


def allows(rules: Iterable[AccessRule], kind: Kind, name: str) -> bool:
    """Tell whether one of the rules, all of which hold, allows a name or URI."""
    return any(matches(pattern, name) for rule in rules for pattern in getattr(rule, kind))


def lacking_scopes(
    rules: Iterable[AccessRule], principal: Principal, kind: Kind, name: str
) -> tuple[str, ...]:
    """Return the scopes of which one would open what is closed to a client; none if none would."""
    missing: dict[str, None] = {}
    for rule in rules:
        if rule.any_scope and allows([rule], kind, name):
            wider = replace(principal, scopes=principal.scopes | set(rule.any_scope))
            if holds(rule, wider):
                missing |= dict.fromkeys(rule.any_scope)
    return tuple(missing)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern, in which `*` stands for any characters, matches a whole text.

    Takes no longer than the two are long, multiplied: a regular expression could take for ever.
    """
    first, *others = pattern.split("*")
    if not others:
        return pattern == text
    if not text.startswith(first):
        return False
    at = len(first)
    *middle, last = others
    for part in middle:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(text) - at >= len(last) and text.endswith(last)
