"""Checks plain data against a structural schema, as strictly as `kubectl apply` does.

This covers what `api.schema` generates: types, bounds, enums, unknown fields, list maps and sets.
The messages follow those of the API server, so that users can search for either.
"""

from __future__ import annotations

import base64
import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""A place in an object: field names, map keys and list indexes."""

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"

_PLAIN = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One violation: where it is, and what to do about it."""

    path: Path
    message: str

    @property
    def field(self) -> str:
        """The path as Kubernetes writes it: `spec.tools[0].name`, `metadata.labels[a/b]`."""
        text = ""
        for part in self.path:
            if isinstance(part, int) or not _PLAIN.fullmatch(part):
                text += f"[{part}]"
            else:
                text += f".{part}" if text else part
        return text

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.path else self.message


def defaulted(schema: Mapping[str, Any], value: Any) -> Any:
    """Return the value with the schema's defaults filled in, as the API server stores it."""
    if isinstance(value, Mapping):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        result = {
            name: defaulted(properties.get(name, others), child)
            for name, child in value.items()
            if not (child is None and "default" in properties.get(name, {}))
        }
        for name, child in properties.items():
            if name not in result and "default" in child:
                result[name] = child["default"]
        return result
    if isinstance(value, list):
        return [defaulted(schema.get("items", {}), child) for child in value]
    return value


def structure_problems(schema: Mapping[str, Any], value: Any, path: Path = ()) -> Iterator[Problem]:
    """Yield what is wrong with a value's structure, outermost first."""
    expected = schema.get("type", "")
    if schema.get(INT_OR_STRING):
        if not (_is("integer", value) or _is("string", value)):
            yield Problem(path, "must be of type integer or string")
            return
    elif expected and not _is(expected, value):
        yield Problem(path, f'must be of type {expected}: "{_type_of(value)}"')
        return
    if "enum" in schema and value not in schema["enum"]:
        options = ", ".join(json.dumps(option) for option in schema["enum"])
        yield Problem(path, f"Unsupported value: {_shown(value)}: supported values: {options}")
    for keyword, check in _BOUNDS.items():
        if keyword in schema:
            message = check(value, schema[keyword])
            if message:
                yield Problem(path, message)
    if isinstance(value, Mapping):
        yield from _object_problems(schema, value, path)
    elif isinstance(value, list):
        yield from _list_problems(schema, value, path)


def _object_problems(
    schema: Mapping[str, Any], value: Mapping[str, Any], path: Path
) -> Iterator[Problem]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    required = schema.get("required", ())
    for name in required:
        if value.get(name) is None:
            yield Problem((*path, name), "Required value")
    for name, child in value.items():
        if name in properties:
            # The API server drops a null where the schema has a default, and does so before it
            # checks for required fields.
            if child is not None or not (name in required or "default" in properties[name]):
                yield from structure_problems(properties[name], child, (*path, name))
        elif others:
            yield from structure_problems(others, child, (*path, str(name)))
        elif properties and not schema.get(PRESERVE):
            near = difflib.get_close_matches(str(name), properties, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Problem((*path, str(name)), f"unknown field{hint}")


def _list_problems(schema: Mapping[str, Any], value: list[Any], path: Path) -> Iterator[Problem]:
    for index, child in enumerate(value):
        yield from structure_problems(schema["items"], child, (*path, index))
    keys = schema.get("x-kubernetes-list-map-keys")
    is_set = schema.get("x-kubernetes-list-type") == "set"
    if not keys and not is_set:
        return
    seen = set()
    for index, child in enumerate(value):
        told_apart = {key: child.get(key) for key in keys or () if isinstance(child, Mapping)}
        identity = _shown(told_apart if keys else child)
        if identity in seen:
            yield Problem((*path, index), f"Duplicate value: {identity}")
        seen.add(identity)


def _is(expected: str, value: Any) -> bool:
    match expected:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, Mapping)


def _shown(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    for name in ("string", "boolean", "integer", "number", "array"):
        if _is(name, value):
            return name
    return "object"


def _too_small(value: Any, bound: float) -> str:
    small = _is("number", value) and value < bound
    return f"should be greater than or equal to {bound}" if small else ""


def _too_large(value: Any, bound: float) -> str:
    large = _is("number", value) and value > bound
    return f"should be less than or equal to {bound}" if large else ""


def _too_short(value: Any, bound: int) -> str:
    short = isinstance(value, str) and len(value) < bound
    return f"should be at least {bound} chars long" if short else ""


def _too_long(value: Any, bound: int) -> str:
    long = isinstance(value, str) and len(value) > bound
    return f"Too long: may not be more than {bound} bytes" if long else ""


def _too_few(value: Any, bound: int) -> str:
    return f"should have at least {bound} items" if len(value) < bound else ""


def _too_many(value: Any, bound: int) -> str:
    return f"Too many: {len(value)}: must have at most {bound} items" if len(value) > bound else ""


def _mismatch(value: Any, pattern: str) -> str:
    wrong = isinstance(value, str) and not re.search(pattern, value)
    return f"should match '{pattern}'" if wrong else ""


def _malformed(value: Any, name: str) -> str:
    if name != "byte":
        return ""
    try:
        base64.b64decode(value, validate=True)
    except ValueError:  # of base64, or because a character is not ASCII
        return "must be of type byte: base64"
    return ""


_BOUNDS: dict[str, Callable[[Any, Any], str]] = {
    "minimum": _too_small,
    "maximum": _too_large,
    "minLength": _too_short,
    "maxLength": _too_long,
    "minItems": _too_few,
    "maxItems": _too_many,
    "maxProperties": _too_many,
    "pattern": _mismatch,
    "format": _malformed,
}
