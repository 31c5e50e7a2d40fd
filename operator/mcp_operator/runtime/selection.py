"""Which objects an informer is about: namespace, labels and fields, as the API server selects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_operator.core.meta import LabelSelector, Object, key_of, labels_of

_COMMA: Final = re.compile(r",(?![^(]*\))")
"""A comma between requirements, not one inside parentheses."""

_SET: Final = re.compile(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Selection:
    """Decides for a written object what the API server decides for a watched one.

    Attributes:
        namespace: Only there; everywhere if empty.
        label_selector: Label requirements in kubectl's notation.
        field_selector: `path=value` requirements.
    """

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    _labels: LabelSelector = field(init=False, repr=False, compare=False)
    _fields: tuple[tuple[tuple[str, ...], str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        expressions = [_expression(part.strip()) for part in _parts(self.label_selector)]
        object.__setattr__(self, "_labels", LabelSelector(match_expressions=expressions))
        fields = [_field(part.strip()) for part in _parts(self.field_selector)]
        object.__setattr__(self, "_fields", tuple(fields))

    def matches(self, obj: Object) -> bool:
        """Tell whether the API server would send this object."""
        if self.namespace and key_of(obj).namespace != self.namespace:
            return False
        if any(_value(obj, path) != value for path, value in self._fields):
            return False
        return self._labels.matches(labels_of(obj))


def _parts(selector: str) -> Iterator[str]:
    return (part for part in _COMMA.split(selector) if part.strip())


def _expression(part: str) -> Object:
    found = _SET.fullmatch(part)
    if found:
        values = [value.strip() for value in found[3].split(",")]
        return {
            "key": found[1],
            "operator": {"in": "In", "notin": "NotIn"}[found[2]],
            "values": values,
        }
    if part.startswith("!"):
        return {"key": part[1:].strip(), "operator": "DoesNotExist"}
    if "=" not in part:
        return {"key": part, "operator": "Exists"}
    key, _, value = part.partition("=")
    operator = "NotIn" if key.endswith("!") else "In"
    return {
        "key": key.rstrip("!").strip(),
        "operator": operator,
        "values": [value.lstrip("=").strip()],
    }


def _field(part: str) -> tuple[tuple[str, ...], str]:
    path, sign, value = part.partition("=")
    if not sign or path.endswith("!"):
        raise ValueError(f"field selector {part!r}: only path=value is supported here")
    return tuple(path.strip().split(".")), value.lstrip("=").strip()


def _value(obj: Object, path: tuple[str, ...]) -> str:
    value: Any = obj
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else str(value)
