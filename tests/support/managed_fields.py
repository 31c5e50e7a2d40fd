"""The fields of an object that a manager owns, and every possible change of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from mcp_operator.core.meta import Object

Item = tuple[tuple[str, Any], ...]
"""An item of a list, by its key fields."""

Path = tuple[str | int | Item, ...]

_OTHER: Final[Mapping[str, str]] = {
    "TCP": "UDP",
    "UDP": "TCP",
    "HTTP": "HTTPS",
    "Always": "Never",
    "IfNotPresent": "Never",
    "ScheduleAnyway": "DoNotSchedule",
    "Prefix": "Exact",
    "PathPrefix": "Exact",
    "NodePort": "ClusterIP",
    "ClusterIP": "NodePort",
    "AlwaysAllow": "IfHealthyBudget",
    "Percent": "Pods",
    "Max": "Min",
    "In": "NotIn",
    "Ingress": "Egress",
    "Egress": "Ingress",
    "RuntimeDefault": "Unconfined",
    "metadata.name": "metadata.namespace",
    "25%": "30%",
    "250m": "10m",
    "10.0.0.0/8": "10.0.0.0/7",
    "10.1.0.0/16": "10.2.0.0/16",
    "169.254.0.0/16": "169.254.0.0/17",
}
"""Other valid values of texts that would be invalid with an additional letter."""


class Mutation(NamedTuple):
    """One change of one field, to the first of some values that is valid."""

    op: Literal["replace", "remove", "add"]
    path: Path
    values: tuple[Any, ...] = (None,)

    def __str__(self) -> str:
        return f"{self.op} {'/'.join(map(_named, self.path))}"

    def patches(self, obj: Object) -> Iterator[list[Object]]:
        """Yield JSON patches of an object, to try one after the other."""
        path = pointer(obj, self.path)
        for value in self.values:
            yield [{"op": self.op, "path": path, "value": value}]


def owned_fields(obj: Object, manager: str) -> dict[Path, Any]:
    """Return the fields that a manager has applied, with their values.

    A list or map that can only be owned as a whole is one field. The keys of list items are left
    out: with another key, it would be another item, which the manager does not own.

    Args:
        obj: The object with its `managedFields`, as the API server sent it.
        manager: The field manager.
    """
    fields: dict[Path, Any] = {}
    for entry in obj["metadata"]["managedFields"]:
        if entry["manager"] == manager and entry["operation"] == "Apply":
            fields |= dict(_walk(entry["fieldsV1"], obj, ()))
    return fields


def mutations(owned: Mapping[Path, Any]) -> Iterator[Mutation]:
    """Yield every change of owned fields: replace, remove, or add to a list or map."""
    around = dict.fromkeys(path[:length] for path in owned for length in range(1, len(path)))
    for path in around:
        yield Mutation("remove", path)
    for path, value in owned.items():
        yield from _within(path, value)


def at(obj: Any, path: Path) -> Any:
    """Return the value at a path; None if there is none."""
    for step in path:
        try:
            obj = obj[_index(obj, step) if isinstance(step, tuple) else step]
        except (KeyError, IndexError, TypeError):
            return None
    return obj


def pointer(obj: Any, path: Path) -> str:
    """Return a path into an object as a JSON pointer (RFC 6901)."""
    found = ""
    for step in path:
        here = _index(obj, step) if isinstance(step, tuple) else step
        found += "/" + str(here).replace("~", "~0").replace("/", "~1")
        obj = at(obj, (here,))
    return found


def _index(items: list[Object], wanted: Item) -> int:
    for index, item in enumerate(items):
        if dict(wanted).items() <= item.items():
            return index
    raise KeyError(wanted)


def _named(step: str | int | Item) -> str:
    return ",".join(str(value) for _, value in step) if isinstance(step, tuple) else str(step)


def _walk(fields: Object, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Walk a FieldsV1: `f:` is a field, `k:` a list item by its keys, `.` the node itself."""
    if not fields:
        yield path, value
    for name, child in fields.items():
        kind, _, rest = name.partition(":")
        if kind == "f" and rest in value:  # a null value is owned as well
            yield from _walk(child, value[rest], (*path, rest))
        elif kind == "k":
            keys = json.loads(rest)
            item = tuple(keys.items())
            fields_besides = {name: one for name, one in child.items() if name[2:] not in keys}
            yield from _walk(fields_besides, value[_index(value, item)], (*path, item))


def _within(path: Path, value: Any) -> Iterator[Mutation]:
    yield Mutation("remove", path)
    if isinstance(value, dict):
        yield Mutation("add", (*path, "theirs"), ("theirs",))
        for name, child in value.items():
            yield from _within((*path, name), child)
    elif isinstance(value, list):
        yield Mutation("add", (*path, "-"), tuple(_others(value[-1])))
        for index, child in enumerate(value):
            yield from _within((*path, index), child)
    else:
        yield Mutation("replace", path, tuple(_others(value)))


def _others(value: Any) -> Iterator[Any]:
    """Yield values of the same type; the API server decides which are valid."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case str() if value in _OTHER:
            yield _OTHER[value]
        case str():
            yield from (f"{value}x", "7", "eA==")
        case list():
            yield [*value, *value]
        case _:
            for name, child in value.items():
                for other in _others(child):
                    yield {**value, name: other}
