"""What people write in schemas that is not quite right, in the way that they mean it.

By the letter, some slips refuse every value: a number among the values of a text, or an expression
with the slashes of JavaScript around it. What an API takes, a tool has to take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from mcp_operator.importers.texts import shortened

_MAX_SHOWN: Final = 80
"""Characters of a value in a report."""

_LITERAL: Final = re.compile(r"/(\^.*|.*(?<!\\)\$)/([dgimsuvy]*)", re.DOTALL)
"""An expression as JavaScript and PHP write it. What is anchored has no slash before its start."""

_COUNTS: Final = frozenset(
    f"{limit}{what}"
    for limit in ("max", "min")
    for what in ("Contains", "Items", "Length", "Properties")
)

_SPELT: Final[Mapping[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def repaired(keyword: str, value: Any, types: Collection[str]) -> tuple[Any, str]:
    """Return what is meant by the value of a keyword, and what is wrong with the value.

    Args:
        keyword: The keyword.
        value: Its value.
        types: The types that the schema allows; none where it allows all.
    """
    if keyword in _COUNTS and isinstance(value, float) and value.is_integer():
        return int(value), ""
    match keyword, value:
        case "required", list():
            return _names(value, keyword)
        case "dependentRequired", dict():
            told = {name: _names(names, keyword) for name, names in value.items()}
            wrong = next((text for _, text in told.values() if text), "")
            return {name: names for name, (names, _) in told.items()}, wrong
        case "pattern", str():
            return _pattern(value)
        case "enum", list():
            return _enum(value, [one for one in types if one != "null"])
        case _:
            return value, ""


def as_told(value: Any) -> str:
    """Return a value for a report, shortened."""
    return shortened(json.dumps(value, ensure_ascii=False), _MAX_SHOWN)


def _names(names: Any, keyword: str) -> tuple[Any, str]:
    """Return names without those that are given before, and without what is not a name."""
    if not isinstance(names, list):
        return names, ""
    kept = list(dict.fromkeys(name for name in names if isinstance(name, str)))
    if len(kept) == len(names):
        return kept, ""
    others = [name for name in names if not isinstance(name, str)]
    if others:
        return kept, f"{keyword} lists {as_told(others[0])}, which is not a name, so it is left out"
    again = next(name for index, name in enumerate(names) if name in names[:index])
    return kept, f"{keyword} lists {as_told(again)} more than once, and once is enough"


def _pattern(pattern: str) -> tuple[str, str]:
    found = _LITERAL.fullmatch(pattern)
    if found is None:
        return pattern, ""
    meant = f"(?i:{found[1]})" if "i" in found[2] else found[1]
    return meant, f"the pattern {as_told(pattern)} has slashes around it, so it is read without"


def _enum(values: list[Any], types: Sequence[str]) -> tuple[list[Any], str]:
    """Return the values of an enum as its only type has them, where they are written as another."""
    if len(types) != 1:
        return values, ""
    (type_,) = types
    meant = [_as_type(value, type_) for value in values]
    wrong = [value for value, other in zip(values, meant, strict=True) if value is not other]
    if not wrong:
        return values, ""
    return meant, f"the enum of type {type_} has {as_told(wrong[0])}, which is read as that type"


def _as_type(value: Any, type_: str) -> Any:
    """Return a text as the number or truth value that it spells, or the other way round."""
    if type_ == "string" and isinstance(value, bool | int | float):
        return json.dumps(value)
    if type_ not in _SPELT or not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except ValueError:
        return value
    return parsed if type(parsed) in _SPELT[type_] else value
