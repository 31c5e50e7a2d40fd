"""Decides what a client is served, with the same rule for lists and calls. No I/O."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache, partial, reduce
from operator import or_
from typing import Final

from mcp_operator.api.access import AccessRule
from mcp_operator.api.budget import SelectionError
from mcp_operator.api.selection import rule_when
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.table import Changes, Kind

log = logging.getLogger(__name__)

MAX_DECISIONS: Final = 16_384
"""Cached decisions; each is for one condition and one client."""


def holds(rule: AccessRule, principal: Principal) -> bool:
    """Tell whether all conditions of a rule hold for a client. A rule without any never holds."""
    if not (rule.principals or rule.any_scope or rule.claims or rule.when):
        return False
    return (
        (not rule.principals or any(matches(one, principal.name) for one in rule.principals))
        and (not rule.any_scope or not principal.scopes.isdisjoint(rule.any_scope))
        and all(
            any((claim.name, value) in principal.claims for value in claim.values)
            for claim in rule.claims
        )
        and (not rule.when or _decided(rule.when, principal))
    )


@lru_cache(maxsize=MAX_DECISIONS)
def _decided(condition: str, principal: Principal) -> bool:
    """Tell whether a condition holds for a client. If it cannot be evaluated, it does not."""
    claims = json.loads(principal.looked_at) if principal.looked_at else {}
    try:
        return rule_when(condition).holds(principal.name, principal.scopes, claims)
    except SelectionError as error:
        log.warning(
            "Cannot evaluate the condition of a rule for a client; the rule does not apply",
            extra={"client": principal.name, "error": str(error)},
        )
        return False


def looked_at(rules: Iterable[AccessRule]) -> frozenset[str] | None:
    """Return the claims that the rules' conditions read; None if they could read any claim."""
    found: frozenset[str] = frozenset()
    for rule in rules:
        if not rule.when:
            continue
        try:
            claims = rule_when(rule.when).claims
        except SelectionError:
            continue  # it never holds
        if claims is None:
            return None
        found |= claims
    return found


def allows(rules: Iterable[AccessRule], kind: Kind, name: str) -> bool:
    """Tell whether one of these rules, which all hold for the client, allows a name or URI."""
    return any(matches(pattern, name) for rule in rules for pattern in getattr(rule, kind))


def lacking_scopes(
    rules: Iterable[AccessRule], principal: Principal, kind: Kind, name: str
) -> tuple[str, ...]:
    """Return scopes of which any one would give the client access; empty if none would."""
    missing: dict[str, None] = {}
    for rule in rules:
        if rule.any_scope and allows([rule], kind, name):
            wider = replace(principal, scopes=principal.scopes | set(rule.any_scope))
            if holds(rule, wider):
                missing |= dict.fromkeys(rule.any_scope)
    return tuple(missing)


class Seen:
    """What each client sees of a change, according to the rules that hold for it."""

    def __init__(self, changes: Changes, rules: tuple[AccessRule, ...]) -> None:
        """Set up.

        Args:
            changes: The changes.
            rules: The rules of the server; without rules, every client sees everything.
        """
        self._changes = changes
        self._rules = rules
        self._allowed: dict[int, Changes] = {}
        """What each rule allows, by its index. Cached, as there are many clients and few rules."""

    def by(self, principal: Principal) -> Changes:
        """Return the changes that a client sees."""
        if not self._rules:
            return self._changes
        holding = (n for n, rule in enumerate(self._rules) if holds(rule, principal))
        return reduce(or_, map(self._by_rule, holding), Changes())

    def _by_rule(self, number: int) -> Changes:
        if number not in self._allowed:
            allowed = partial(allows, [self._rules[number]])
            self._allowed[number] = self._changes.narrowed(allowed)
        return self._allowed[number]


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern matches a whole text; `*` stands for any characters.

    The time is bounded by the product of both lengths. A regular expression could backtrack
    for very long.
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
