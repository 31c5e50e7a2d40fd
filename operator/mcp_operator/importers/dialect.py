"""Translates one schema object of OpenAPI or Swagger to JSON Schema 2020-12.

This module handles the keywords that contain no other schema; `schemas` handles the others. Real
documents have mistakes. If JSON Schema does not allow the value of a keyword, the keyword is left
out, so that a mistake costs a constraint and not the tool.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from mcp_operator.api import patterns
from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.patterns import PatternError
from mcp_operator.importers.repairs import as_told, repaired
from mcp_operator.importers.texts import cleaned, in_one_line, shortened

MAX_TEXT: Final = 1000
"""Characters of the description of one argument or field."""

CUT: Final = f"the description has more than {MAX_TEXT} characters, so it is cut after a sentence"
"""The report's sentence about such a description."""

MAX_TITLE: Final = 100
MAX_EXAMPLE: Final = 120
"""Characters of an example, as JSON. An example shows the form; long data does not help."""

_TYPES: Final = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}
_MISSPELT: Final = {
    "bool": "boolean",
    "dict": "object",
    "double": "number",
    "file": "string",
    "float": "number",
    "int": "integer",
    "list": "array",
    "long": "integer",
    "map": "object",
    "str": "string",
    "text": "string",
}
"""Types that JSON Schema does not have, and their meaning. `file` is a type of Swagger."""

_ASKING_NOTHING: Final[tuple[Any, ...]] = (None, False, "", [], {})
"""Values with which a keyword has no effect, whether JSON Schema allows them or not."""

_LEFT_OUT: Final = "JSON Schema does not allow {0} to be {1}, so it is left out"
_UNUSABLE: Final = {
    "pattern": "the gateway cannot use the regular expression {1}, so the {0} is left out"
}
"""The report's sentences about keywords whose value cannot be used."""

ANNOTATIONS: Final = frozenset({"default", "deprecated", "description", "examples", "title"})
"""Keywords that describe a value, and do not constrain it."""


def keywords(node: Mapping[str, Any], name: str, lost: list[str]) -> JsonObject:
    """Translate the keywords of a schema object, without its subschemas.

    Args:
        node: The schema object.
        name: The property that it describes; a title that only repeats it is left out.
        lost: A text is added for everything that is not translated as it is written.
    """
    schema: JsonObject = {}
    types = _types(node.get("type"))
    for keyword, allowed in _KEPT.items():
        if keyword not in node:
            continue
        value, wrong = repaired(keyword, node[keyword], types)
        if allowed(value):
            schema[keyword] = value
        elif value not in _ASKING_NOTHING:
            wrong = _UNUSABLE.get(keyword, _LEFT_OUT).format(keyword, as_told(value))
        lost += [wrong] if wrong else []
    if types:
        schema["type"] = types[0] if len(types) == 1 else types
    elif node.get("type") not in ("any", *_ASKING_NOTHING):
        lost.append(_LEFT_OUT.format("type", as_told(node["type"])))
    if node.get("type") == "file":
        schema["format"] = "binary"
    schema |= _bounds(node, lost)
    schema |= _texts(node, name, lost)
    _drop_what_does_not_fit(schema, lost)
    return schema


def nullable(schema: JsonObject, node: Mapping[str, Any]) -> JsonObject:
    """Let a schema allow null if its node has `nullable` (OpenAPI 3.0) or `x-nullable` (Swagger).

    According to OpenAPI 3.0.3, `nullable` has no effect without `type`. Authors who write it there
    mean it anyway.
    """
    if node.get("nullable") is not True and node.get("x-nullable") is not True:
        return schema
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if None not in schema.get("enum", [None]):
        schema["enum"] = [*schema["enum"], None]
    types = schema.get("type")
    if types is not None:
        written = [types] if isinstance(types, str) else types
        schema["type"] = [*written, *(["null"] if "null" not in written else [])]
        return schema
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in schema:
            return schema | {alternatives: [*schema[alternatives], {"type": "null"}]}
    said = {keyword: value for keyword, value in schema.items() if keyword in ANNOTATIONS}
    rest = {keyword: value for keyword, value in schema.items() if keyword not in ANNOTATIONS}
    if not rest or rest.keys() == {"enum"}:
        return schema
    return {"anyOf": [rest, {"type": "null"}], **said}


def is_pattern(value: Any) -> bool:
    """Tell whether a value is a regular expression that the gateway can use."""
    if not isinstance(value, str):
        return False
    try:
        patterns.cost(value)
    except PatternError:
        return False
    return True


def unusable_pattern(pattern: Any) -> str:
    """Return the report's sentence about a regular expression that the gateway cannot use."""
    return _UNUSABLE["pattern"].format("pattern", as_told(pattern))


def _types(written: Any) -> list[str]:
    names = written if isinstance(written, list) else [written]
    meant = [_MISSPELT.get(name, name) for name in names if isinstance(name, str)]
    if any(name not in _TYPES for name in meant):
        return []  # `any` or unknown: no constraint is better than a wrong one
    return list(dict.fromkeys(meant))


def _bounds(node: Mapping[str, Any], lost: list[str]) -> JsonObject:
    """Translate limits of numbers. Before OpenAPI 3.1, exclusiveMinimum is a flag of minimum."""
    bounds: JsonObject = {}
    for keyword, exclusive in (
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ):
        limit, strict = node.get(keyword), node.get(exclusive)
        for name, value in ((keyword, limit), (exclusive, strict)):
            is_flag = isinstance(value, bool) and name == exclusive
            if not (value is None or _is_number(value) or is_flag):
                lost.append(_LEFT_OUT.format(name, as_told(value)))
        if strict is True and _is_number(limit):
            bounds[exclusive] = limit
            continue
        if _is_number(limit):
            bounds[keyword] = limit
        if _is_number(strict):
            bounds[exclusive] = strict
    return bounds


def _texts(node: Mapping[str, Any], name: str, lost: list[str]) -> JsonObject:
    """Translate the texts for readers: description, title and one short example."""
    texts: JsonObject = {}
    whole = cleaned(node.get("description"))
    description = shortened(whole, MAX_TEXT)
    lost += [CUT] if len(whole) > MAX_TEXT else []
    title = shortened(in_one_line(node.get("title")), MAX_TITLE)
    if description:
        texts["description"] = description
    elif title and _plain(title) != _plain(name):
        texts["title"] = title
    examples = node.get("examples")
    shown = examples if isinstance(examples, list) else [node.get("example")]
    short = [one for one in shown if one not in (None, "", [], {}) and _is_short(one)]
    if short:
        texts["examples"] = short[:1]
    return texts


def _drop_what_does_not_fit(schema: JsonObject, lost: list[str]) -> None:
    """Drop a default or an example of another type: models would copy it, and be rejected."""
    if "default" in schema and not _fits(schema["default"], schema):
        default = schema.pop("default")
        if default is not None:
            lost.append(
                f"the default {as_told(default)} does not fit its schema, so it is left out"
            )
    if "examples" in schema and not _fits(schema["examples"][0], schema):
        del schema["examples"]


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else types
    if value is None:
        return "null" in names
    if "enum" in schema and value not in schema["enum"]:
        return False
    return not names or any(_is(name, value) for name in names)


def _is(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])  # type: ignore[arg-type] # one type, or a tuple of them


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _is_short(example: Any) -> bool:
    return len(json.dumps(example, ensure_ascii=False)) <= MAX_EXAMPLE


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_true(value: Any) -> bool:
    return value is True


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value) and bool(value)


def _is_names_of_names(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, list) for one in value.values())


def _is_options(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_anything(_: Any) -> bool:
    return True


_KEPT: Final[Mapping[str, Callable[[Any], bool]]] = {
    "const": _is_anything,
    "contentEncoding": _is_text,
    "contentMediaType": _is_text,
    "default": _is_anything,
    "dependentRequired": _is_names_of_names,
    "deprecated": _is_true,
    "enum": _is_options,
    "format": _is_text,
    "maxContains": _is_count,
    "maxItems": _is_count,
    "maxLength": _is_count,
    "maxProperties": _is_count,
    "minContains": _is_count,
    "minItems": _is_count,
    "minLength": _is_count,
    "minProperties": _is_count,
    "multipleOf": _is_positive,
    "pattern": is_pattern,
    "required": _is_names,
    "uniqueItems": _is_true,
}
"""Keywords that mean the same in both dialects, each with a check of its value."""
