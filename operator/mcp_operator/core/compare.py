"""Compares live objects with the state that was applied to them.

The API server sets defaults, adds the fields of other managers, normalizes quantities and omits
empty values. None of this counts as a difference. Atomic structures are stricter, because an added
entry changes their meaning: one more label narrows a selector, one more subject widens a binding.
They must therefore be applied with all defaults spelled out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from mcp_operator.core.meta import Object

_LIST_MAP_KEYS: Final = {
    "containers": frozenset({"name"}),
    "env": frozenset({"name"}),
    "hostAliases": frozenset({"ip"}),
    "imagePullSecrets": frozenset({"name"}),
    "initContainers": frozenset({"name"}),
    "ownerReferences": frozenset({"uid"}),
    "ports": frozenset({"containerPort", "port", "protocol"}),
    "topologySpreadConstraints": frozenset({"topologyKey", "whenUnsatisfiable"}),
    "volumeMounts": frozenset({"mountPath"}),
    "volumes": frozenset({"name"}),
}
"""Lists whose items can have different owners, and the keys that identify an item
(`x-kubernetes-list-map-keys` in the Kubernetes OpenAPI schema). All other lists are atomic."""

_ATOMIC_MAPS: Final = frozenset(
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
"""Maps with a single owner (`x-kubernetes-map-type: atomic`)."""

_LEFT_OUT_IF_ZERO: Final = {"initialDelaySeconds": 0, "readOnly": False}
"""Fields that the API server omits from a pod if they have these values: fields with `omitempty`
that are not pointers in k8s.io/api/core/v1. It returns all others with their defaults, so a missing
one is a difference."""

_LEFT_OUT_IF_EMPTY: Final = frozenset({"matchLabels", "nodeSelector"})
"""Maps inside atomic structures for which empty and absent mean the same."""

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
    """Return a short hash of an object that does not depend on the order of its keys."""
    text = _SORTED.encode(desired)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def covers(live: Any, desired: Any) -> bool:
    """Return whether `live` contains `desired`; it may have more outside of atomic structures."""
    return _covers(live, desired, "")


def semantically_equal(one: Any, other: Any) -> bool:
    """Return whether two objects are equal, treating empty and absent fields as the same.

    The API server treats them alike, too: applying an empty list removes a field that had items,
    and creates an empty field if there was none.
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
    live: Any, desired: Any, name: str, *, is_quantity: bool = False, is_atomic: bool = False
) -> bool:
    """Compare two values of the field `name`; an atomic one must not have additional entries."""
    if type(live) is type(desired) and live == desired:
        return True  # 1 == True inside a map, but no API field accepts both types
    is_quantity = is_quantity or name in _QUANTITY_PARENTS or name in _QUANTITY_FIELDS
    is_atomic = is_atomic or name in _ATOMIC_MAPS
    if isinstance(desired, dict):
        if live is None and (not is_atomic or name in _LEFT_OUT_IF_EMPTY):
            live = {}  # elsewhere an empty selector matches all, and an absent one nothing
        return isinstance(live, dict) and _covers_fields(
            live, desired, is_quantity=is_quantity, is_atomic=is_atomic
        )
    if isinstance(desired, list):
        keys = frozenset[str]() if is_atomic else _LIST_MAP_KEYS.get(name, frozenset())
        return isinstance(live or [], list) and _covers_items(live or [], desired, keys)
    if live is None:
        return desired is None or desired in ("", _LEFT_OUT_IF_ZERO.get(name, ""))
    value = quantity(str(live)) if is_quantity else None
    return value is not None and value == quantity(str(desired))


def _covers_fields(live: Object, desired: Object, *, is_quantity: bool, is_atomic: bool) -> bool:
    if is_atomic and any(name not in desired for name, value in live.items() if value != ""):
        return False
    return all(
        _covers(live.get(name), value, name, is_quantity=is_quantity, is_atomic=is_atomic)
        for name, value in desired.items()
    )


def _covers_items(live: Sequence[Any], desired: Sequence[Any], keys: frozenset[str]) -> bool:
    if keys and all(isinstance(item, dict) and not keys.isdisjoint(item) for item in desired):
        return all(covers(_counterpart(item, live, keys), item) for item in desired)
    return len(live) == len(desired) and all(
        _covers(one, other, "", is_atomic=True) for one, other in zip(live, desired, strict=True)
    )


def _counterpart(item: Object, live: Sequence[Any], keys: frozenset[str]) -> Any:
    """Find the live item that matches the list-map keys that a desired item sets."""
    named = {key: item[key] for key in keys & item.keys()}
    return next((one for one in live if covers(one, named)), None)
