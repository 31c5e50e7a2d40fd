"""Repairs common mistakes in schemas: it reads them as their authors mean them.

Taken literally, some mistakes reject every value: a number in the enum of a string, or a regular
expression with the slashes of JavaScript around it. A tool must accept whatever the API accepts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from mcp_operator.importers.texts import shortened

_MAX_SHOWN: Final = 80
"""Characters of a value in the report."""

_LITERAL: Final = re.compile(r"/(\^.*|.*(?<!\\)\$)/([dgimsuvy]*)", re.DOTALL)
"""An anchored expression as in JavaScript and PHP. A slash outside of an anchor never matches."""

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
    """Return the value that the author of a keyword means, and what is wrong with the written one.

    Args:
        keyword: The keyword.
        value: Its value.
        types: The types that the schema allows; empty if it allows all.
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
    """Return a value as shortened JSON, for the report."""
    return shortened(json.dumps(value, ensure_ascii=False), _MAX_SHOWN)


def _names(names: Any, keyword: str) -> tuple[Any, str]:
    """Remove duplicates, and values that are not strings, from a list of names."""
    if not isinstance(names, list):
        return names, ""
    kept = list(dict.fromkeys(name for name in names if isinstance(name, str)))
    if len(kept) == len(names):
        return kept, ""
    others = [name for name in names if not isinstance(name, str)]
    if others:
        return kept, f"{keyword} lists {as_told(others[0])}, which is not a name, so it is left out"
    again = next(name for index, name in enumerate(names) if name in names[:index])
    return kept, f"{keyword} lists {as_told(again)} more than once, so it is kept only once"


def _pattern(pattern: str) -> tuple[str, str]:
    found = _LITERAL.fullmatch(pattern)
    if found is None:
        return pattern, ""
    meant = f"(?i:{found[1]})" if "i" in found[2] else found[1]
    return meant, f"the pattern {as_told(pattern)} has slashes around it, which are removed"


def _enum(values: list[Any], types: Sequence[str]) -> tuple[list[Any], str]:
    """Convert the values of an enum to the schema's only type if they have another type."""
    if len(types) != 1:
        return values, ""
    (type_,) = types
    meant = [_as_type(value, type_) for value in values]
    wrong = [value for value, other in zip(values, meant, strict=True) if value is not other]
    if not wrong:
        return values, ""
    told = as_told(wrong[0])
    return meant, f"the enum of type {type_} has {told}, which is converted to that type"


def _as_type(value: Any, type_: str) -> Any:
    """Convert a string to the number or boolean that it spells, or the other way around."""
    if type_ == "string" and isinstance(value, bool | int | float):
        return json.dumps(value)
    if type_ not in _SPELT or not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except ValueError:
        return value
    return parsed if type(parsed) in _SPELT[type_] else value
