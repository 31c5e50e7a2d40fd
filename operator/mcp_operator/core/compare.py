"""Does a live object have everything that was applied to it?

The API server adds defaults and the fields of others, writes quantities in its own way and leaves
out what is empty. None of these is a difference.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic_core import to_json

from mcp_operator.core.meta import Object

_MERGE_KEYS: Final = ("uid", "mountPath", "containerPort", "name")
"""The keys of lists that several owners share, in the order in which they are unique: mounts have
a name, too, but not one of their own (`x-kubernetes-list-map-keys` in Kubernetes' OpenAPI)."""

_QUANTITY_PARENTS: Final = frozenset({"limits", "requests"})
_QUANTITY_FIELDS: Final = frozenset({"sizeLimit", "divisor"})

_QUANTITY: Final = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE]?)"
)

_SUFFIXES: Final = {
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate("mun", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
"""apimachinery, pkg/api/resource/suffix.go."""


def fingerprint(desired: Object) -> str:
    """Return a short hash that is equal for equal objects, whatever the order of their keys."""
    return hashlib.sha256(to_json(_sorted(desired))).hexdigest()[:16]


def covers(live: Any, desired: Any) -> bool:
    """Tell whether `live` has all that is in `desired`; it may have more."""
    return _covers(live, desired, is_quantity=False)


def quantity(text: str) -> Decimal | None:
    """Return the value of a `resource.Quantity`, or None if the text is not one."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    number, suffix = found.groups()
    if suffix[-1:].isdigit():
        return Decimal(number + suffix)
    return Decimal(number) * _SUFFIXES[suffix]


def _covers(live: Any, desired: Any, *, is_quantity: bool) -> bool:
    if isinstance(desired, dict):
        return isinstance(live or {}, dict) and _covers_fields(
            live or {}, desired, are_quantities=is_quantity
        )
    if isinstance(desired, list):
        return isinstance(live or [], list) and _covers_items(live or [], desired)
    if live is None:
        return desired is None or desired == ""
    if type(live) is type(desired) and live == desired:
        return True
    value = quantity(str(live)) if is_quantity else None
    return value is not None and value == quantity(str(desired))


def _covers_fields(live: Object, desired: Object, *, are_quantities: bool) -> bool:
    return all(
        _covers(
            live.get(name),
            value,
            is_quantity=are_quantities or name in _QUANTITY_PARENTS or name in _QUANTITY_FIELDS,
        )
        for name, value in desired.items()
    )


def _covers_items(live: Sequence[Any], desired: Sequence[Any]) -> bool:
    merge_key = _merge_key(desired)
    if merge_key is None:
        return len(live) == len(desired) and all(map(covers, live, desired))
    by_key = {item.get(merge_key): item for item in live if isinstance(item, dict)}
    return all(covers(by_key.get(item[merge_key]), item) for item in desired)


def _merge_key(items: Sequence[Any]) -> str | None:
    """Find the key by which items are told apart, where they are objects that have one."""
    for name in _MERGE_KEYS:
        values = [item.get(name) for item in items if isinstance(item, dict)]
        if len(values) == len(items) > 0 and None not in values and len(set(values)) == len(values):
            return name
    return None


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
