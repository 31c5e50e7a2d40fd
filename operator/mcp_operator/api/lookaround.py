"""Patterns with look-around, matched within a budget, because they take quadratic time or worse.

The engine limits the steps at one position of a text, and starts again at the next position. It
holds Python's lock meanwhile, so running it in a thread does not help. Patterns without look-around
take linear time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, cast

import jsonschema_rs

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.patterns import is_backtracking

MAX_STEPS: Final = 1_000_000
"""What matching can cost in one validation. A text of n characters costs n² steps of at most 15 ns,
so the longest text that can be matched has 1,000 characters."""

KEYWORD: Final = "x-mcp-operator-pattern"
"""The keyword that replaces `pattern` where `Budget` does the matching."""

_LINEAR: Final = re.compile(r"\^(?:\(\?[=!](?:[^()\\]|\\.)*\))+(.*)", re.DOTALL)
"""Look-ahead only at the start of a text, as in `^(?=.*[A-Z])(?!admin)[a-z]+$`: linear time."""


def is_costly(pattern: str) -> bool:
    """Tell whether matching takes more than linear time."""
    linear = _LINEAR.fullmatch(pattern)
    return is_backtracking(linear[1] if linear else pattern)


class Budget:
    """Matches the costly patterns of one schema, and refuses texts that would take too long."""

    def __init__(self, options: jsonschema_rs.FancyRegexOptions) -> None:
        """Set up.

        Args:
            options: The limits of the engine.
        """
        self._options = options
        self._left = MAX_STEPS

    def renew(self) -> None:
        """Reset the budget for another value."""
        self._left = MAX_STEPS

    def keywords(self) -> dict[str, type[jsonschema_rs.KeywordValidator]]:
        """Return what the validator takes as its custom keywords."""
        return {KEYWORD: cast("type[jsonschema_rs.KeywordValidator]", self._keyword)}

    def _keyword(self, _: JsonObject, pattern: str, __: object) -> _Matching:
        return _Matching(self, pattern, self._options)

    def spend(self, text: str) -> bool:
        """Subtract the cost of matching a text, and tell whether the budget covers it."""
        self._left -= len(text) ** 2
        return self._left >= 0


class _Matching:
    """One costly pattern."""

    def __init__(
        self, budget: Budget, pattern: str, options: jsonschema_rs.FancyRegexOptions
    ) -> None:
        self._budget = budget
        self._pattern = json.dumps(pattern, ensure_ascii=False)
        self._validator = jsonschema_rs.Draft202012Validator(
            {"pattern": pattern}, pattern_options=options, offline=True
        )

    def validate(self, instance: Any) -> None:
        if not isinstance(instance, str):
            return
        if not self._budget.spend(instance):
            raise ValueError(f"a text is too long to be matched with {self._pattern}: shorten it")
        if not self._validator.is_valid(instance):
            text = json.dumps(instance, ensure_ascii=False)
            raise ValueError(f"{text} does not match {self._pattern}")


def renamed(value: Any, nodes: AbstractSet[int]) -> Any:
    """Copy a schema, and rename the keyword of its costly patterns to the one of `Budget`.

    Args:
        value: The schema, or a part of it.
        nodes: The `id()`s of the subschemas that have a costly pattern.
    """
    if isinstance(value, list):
        return [renamed(one, nodes) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        KEYWORD if key == "pattern" and id(value) in nodes else key: renamed(one, nodes)
        for key, one in value.items()
    }
