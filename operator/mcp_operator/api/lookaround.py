"""Patterns with look-around, matched under a budget: their engine takes quadratic time, or worse.

The engine's own limit counts steps at one place of a text, and begins again at the next. It holds
Python's lock all the while, so that no thread helps. Patterns without look-around take linear time.
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
"""What matching may cost in one validation: a text of n characters costs n², which takes at most
15 ns each. A text of 1,000 characters is the longest that can be matched."""

KEYWORD: Final = "x-mcp-operator-pattern"
"""What `pattern` is called where `Budget` matches it."""

_LINEAR: Final = re.compile(r"\^(?:\(\?[=!](?:[^()\\]|\\.)*\))+(.*)", re.DOTALL)
"""Looks ahead at the start of a text and nowhere else: `^(?=.*[A-Z])(?!admin)[a-z]+$`."""


def is_costly(pattern: str) -> bool:
    """Tell whether matching takes more than linear time."""
    linear = _LINEAR.fullmatch(pattern)
    return is_backtracking(linear[1] if linear else pattern)


class Budget:
    """Matches the costly patterns of one schema, and refuses where that would take too long."""

    def __init__(self, options: jsonschema_rs.FancyRegexOptions) -> None:
        """Set up.

        Args:
            options: The limits of the engine.
        """
        self._options = options
        self._left = MAX_STEPS

    def renew(self) -> None:
        """Begin with another value."""
        self._left = MAX_STEPS

    def keywords(self) -> dict[str, type[jsonschema_rs.KeywordValidator]]:
        """Return what the validator takes as its custom keywords."""
        return {KEYWORD: cast("type[jsonschema_rs.KeywordValidator]", self._keyword)}

    def _keyword(self, _: JsonObject, pattern: str, __: object) -> _Matching:
        return _Matching(self, pattern, self._options)

    def spend(self, text: str) -> bool:
        """Tell whether matching a text can be afforded, and count it."""
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
    """Copy a schema, its costly patterns under the name that `Budget` knows.

    Args:
        value: The schema, or a part of it.
        nodes: The identities of the subschemas that have one.
    """
    if isinstance(value, list):
        return [renamed(one, nodes) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        KEYWORD if key == "pattern" and id(value) in nodes else key: renamed(one, nodes)
        for key, one in value.items()
    }
