"""What a client is served: one decision, for lists and for calls. No I/O."""

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
"""Decisions of conditions that are remembered, each of one condition for one client."""


def holds(rule: AccessRule, principal: Principal) -> bool:
    """Tell whether every condition of a rule, which has at least one, holds for a client."""
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
    """Tell whether a condition holds for a client; one that cannot be decided does not."""
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
    """Return the claims that conditions of rules look at; None where that may be all."""
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


class Seen:
    """What clients see of a change, each by the rules that hold for it."""

    def __init__(self, changes: Changes, rules: tuple[AccessRule, ...]) -> None:
        """Set up.

        Args:
            changes: What has changed.
            rules: Those of the server; without any, everybody sees everything.
        """
        self._changes = changes
        self._rules = rules
        self._allowed: dict[int, Changes] = {}
        """What each rule allows, by its position: clients are many, rules are few."""

    def by(self, principal: Principal) -> Changes:
        """Return what a client sees."""
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
    """Tell whether a pattern, in which `*` stands for any characters, matches a whole text.

    Takes no longer than the two are long, multiplied: a regular expression could take forever.
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
