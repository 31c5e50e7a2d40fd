"""Does a live object have everything that was applied to it?

The API server adds defaults and the fields of others, writes quantities in its own way and leaves
out what is empty. None of these is a difference. But some structures have one owner as a whole, and
of those nobody may add a part: with one more label a selector selects less, with one more subject
a binding grants more. Whoever applies one writes the defaults into it, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from mcp_operator.core.meta import Object

_SHARED_LISTS: Final = {
    "containers": frozenset({"name"}),
    "env": frozenset({"name"}),
    "initContainers": frozenset({"name"}),
    "ownerReferences": frozenset({"uid"}),
    "ports": frozenset({"containerPort", "port", "protocol"}),
    "topologySpreadConstraints": frozenset({"topologyKey", "whenUnsatisfiable"}),
    "volumeMounts": frozenset({"mountPath"}),
    "volumes": frozenset({"name"}),
}
"""Lists whose items may have several owners, and the keys by which the items are told apart
(`x-kubernetes-list-map-keys` in Kubernetes' OpenAPI). All other lists have one owner."""

_WHOLE_MAPS: Final = frozenset(
    {
        "configMapKeyRef",
        "fieldRef",
        "labelSelector",
        "nodeSelector",
        "podSelector",
        "scaleTargetRef",
        "secretKeyRef",
        "selector",
    }
)
"""Maps that have one owner (`x-kubernetes-map-type: atomic`)."""

_SORTED: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

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
    text = _SORTED.encode(desired)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def covers(live: Any, desired: Any) -> bool:
    """Tell whether `live` has all that is in `desired`; it may have more where others may add."""
    return _covers(live, desired, "")


def alike(one: Any, other: Any) -> bool:
    """Tell whether two objects have the same in them, where to be empty is to be left out.

    Nor is it a difference to the API server: an empty list that is applied removes a field that was
    full, and makes an empty one where there was none.
    """
    return covers(one, other) and covers(other, one)


def quantity(text: str) -> Decimal | None:
    """Return the value of a `resource.Quantity`, or None if the text is not one."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    number, suffix = found.groups()
    if suffix[-1:].isdigit():
        return Decimal(number + suffix)
    return Decimal(number) * _SUFFIXES[suffix]


def _covers(
    live: Any, desired: Any, name: str, *, is_quantity: bool = False, is_whole: bool = False
) -> bool:
    """Compare two values of the field `name`; `is_whole` means that nobody may add to them."""
    if type(live) is type(desired) and live == desired:
        return True  # so are 1 and True within a map, but no field of an API may be either
    is_quantity = is_quantity or name in _QUANTITY_PARENTS or name in _QUANTITY_FIELDS
    is_whole = is_whole or name in _WHOLE_MAPS
    if isinstance(desired, dict):
        live = {} if live is None and not is_whole else live  # an empty selector selects all
        return isinstance(live, dict) and _covers_fields(
            live, desired, is_quantity=is_quantity, is_whole=is_whole
        )
    if isinstance(desired, list):
        keys = frozenset[str]() if is_whole else _SHARED_LISTS.get(name, frozenset())
        return isinstance(live or [], list) and _covers_items(live or [], desired, keys)
    if live is None:
        return desired is None or desired == ""
    value = quantity(str(live)) if is_quantity else None
    return value is not None and value == quantity(str(desired))


def _covers_fields(live: Object, desired: Object, *, is_quantity: bool, is_whole: bool) -> bool:
    if is_whole and any(name not in desired for name, value in live.items() if value != ""):
        return False
    return all(
        _covers(live.get(name), value, name, is_quantity=is_quantity, is_whole=is_whole)
        for name, value in desired.items()
    )


def _covers_items(live: Sequence[Any], desired: Sequence[Any], keys: frozenset[str]) -> bool:
    if keys and all(isinstance(item, dict) and not keys.isdisjoint(item) for item in desired):
        return all(covers(_counterpart(item, live, keys), item) for item in desired)
    return len(live) == len(desired) and all(
        _covers(one, other, "", is_whole=True) for one, other in zip(live, desired, strict=True)
    )


def _counterpart(item: Object, live: Sequence[Any], keys: frozenset[str]) -> Any:
    """Find the live item that has the keys of a desired one, as far as that names them."""
    named = {key: item[key] for key in keys & item.keys()}
    return next((one for one in live if covers(one, named)), None)
