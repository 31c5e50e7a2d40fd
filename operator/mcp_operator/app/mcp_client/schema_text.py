"""A JSON Schema as rows of a table: each field with its type, and whether it is required."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mcp_operator.api.properties import target

HEADER: Final = ("FIELD", "TYPE", "REQUIRED", "DESCRIPTION")

DEEPEST: Final = 6
"""Levels of fields in the output; deeper ones are only in the JSON."""

CHOICES: Final = 12
"""Values of an enumeration in the output."""

_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "default": "default {}",
}


class Field(NamedTuple):
    """One row of the table."""

    name: str
    type: str
    required: str
    description: str


def fields(schema: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a schema, with dotted names for fields of nested objects."""
    return list(_fields(schema, schema, "", 0))


def _fields(here: Any, root: Mapping[str, Any], prefix: str, depth: int) -> Iterator[Field]:
    here = _followed(here, root)
    properties = here.get("properties")
    required = here.get("required")
    needed = required if isinstance(required, list) else []
    for name, declared in (properties if isinstance(properties, dict) else {}).items():
        schema = _followed(declared, root)
        path = f"{prefix}{name}"
        said = [str(schema.get("description") or schema.get("title") or ""), _constraints(schema)]
        yield Field(
            path,
            _type(schema, root),
            "yes" if name in needed else "no",
            " ".join(filter(None, said)),
        )
        if depth < DEEPEST:
            yield from _fields(schema, root, f"{path}.", depth + 1)
            if isinstance(schema.get("items"), dict):
                yield from _fields(schema["items"], root, f"{path}[].", depth + 1)


def _followed(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, with its `$ref` resolved and the keywords beside that kept."""
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref")
    referred = target(root, reference) if isinstance(reference, str) else None
    return {**referred, **schema} if referred is not None else schema


def _type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return " or ".join(map(str, kinds))
    if kinds == "array":
        return f"array of {_type(_followed(schema.get('items'), root), root)}"
    if isinstance(kinds, str):
        form = schema.get("format")
        return f"{kinds} ({form})" if form else kinds
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list):
            found = [_type(_followed(each, root), root) for each in schema[word][:CHOICES]]
            return " or ".join(dict.fromkeys(found))
    return "object" if "properties" in schema else "any"


def _constraints(schema: Mapping[str, Any]) -> str:
    found = []
    if "const" in schema:
        found.append(f"always {json.dumps(schema['const'])}")
    choices = schema.get("enum")
    if isinstance(choices, list):
        named = [json.dumps(each, ensure_ascii=False) for each in choices[:CHOICES]]
        rest = [f"and {len(choices) - CHOICES} more"] if len(choices) > CHOICES else []
        found.append(f"one of {', '.join([*named, *rest])}")
    for word, text in _BOUNDS.items():
        if word in schema:
            value = schema[word]
            shown = value if word == "pattern" else json.dumps(value, ensure_ascii=False)
            found.append(text.format(shown))
    return f"[{'; '.join(found)}]" if found else ""
