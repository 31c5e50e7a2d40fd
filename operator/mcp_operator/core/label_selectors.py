"""Label selectors as kubectl takes them, such as `team in (shop, ops),!legacy`."""

from __future__ import annotations

import re
from typing import Any, Final

from mcp_operator.core.meta import LabelSelector

_KEY: Final = (
    r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"

_REQUIREMENT: Final = re.compile(
    rf"\s*(?:(?P<absent>!)?\s*(?P<key>{_KEY}))"
    rf"(?:\s*(?P<sign>==?|!=)\s*(?P<value>{_VALUE})"
    rf"|\s+(?P<set>in|notin)\s*\(\s*(?P<values>{_VALUE}(?:\s*,\s*{_VALUE})*)\s*\))?\s*(?:,|$)"
)


def parse_selector(text: str) -> LabelSelector:
    """Compile a label selector in the syntax of kubectl; apimachinery, pkg/labels/selector.go.

    Comparisons with `<` and `>` are not supported.

    Raises:
        ValueError: The text is empty, or is not a label selector.
    """
    expressions: list[dict[str, Any]] = []
    position = 0
    while position < len(text) or not expressions:
        found = _REQUIREMENT.match(text, position)
        if found is None or (found["absent"] and (found["sign"] or found["set"])):
            raise ValueError(
                f"{text!r} is not a label selector, such as team=shop or team in (shop, ops)"
            )
        expressions.append(_expression(found))
        position = found.end()
    if text.rstrip().endswith(","):
        raise ValueError(f"{text!r} ends with a comma")
    return LabelSelector(match_expressions=expressions)


def _expression(found: re.Match[str]) -> dict[str, Any]:
    key = found["key"]
    if found["set"]:
        values = [value.strip() for value in found["values"].split(",")]
        return {"key": key, "operator": "In" if found["set"] == "in" else "NotIn", "values": values}
    if found["sign"]:
        operator = "NotIn" if found["sign"] == "!=" else "In"
        return {"key": key, "operator": operator, "values": [found["value"]]}
    return {"key": key, "operator": "DoesNotExist" if found["absent"] else "Exists"}
