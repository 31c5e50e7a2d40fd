"""Converts what is specific to Swagger 2 to OpenAPI 3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.importers.documents import Located
from mcp_operator.importers.operations import Body, Media, Parameter
from mcp_operator.importers.texts import cleaned, sentences

_NOT_SCHEMA: Final = frozenset(
    {"allowEmptyValue", "collectionFormat", "description", "in", "name", "required"}
)
"""Keywords of a Parameter Object that are not part of the schema of its value."""

_FORMATS: Final[Mapping[str, tuple[str, bool | None]]] = {
    "csv": ("", False),
    "multi": ("form", True),
    "pipes": ("pipeDelimited", False),
    "ssv": ("spaceDelimited", False),
}
"""The style and explode of each collectionFormat; csv has the default style of the location."""

_SEPARATORS: Final = {"pipes": "|", "ssv": "spaces", "tsv": "tabs"}
"""The separators of lists, for descriptions."""

_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"

_FLOWS: Final = {
    "accessCode": "authorizationCode",
    "application": "clientCredentials",
    "implicit": "implicit",
    "password": "password",
}


def parameter(part: Located) -> Parameter:
    """Read a parameter that is not part of the body."""
    node = part.mapping
    style, explode = collection(node)
    return Parameter(
        name=part.text("name"),
        location=part.text("in"),
        schema=value_schema(part),
        required=node.get("required") is True,
        description=_description(node),
        style=style,
        explode=explode,
    )


def collection(node: Mapping[str, Any]) -> tuple[str, bool | None]:
    """Return the style and explode of a list."""
    if node.get("type") != "array" or _separator(node) or _has_files(node):
        return "", None
    return _FORMATS.get(str(node.get("collectionFormat", "csv")), ("", None))


def value_schema(part: Located) -> Located:
    """Return the schema of a parameter's value.

    Lists that no style of OpenAPI 3 can express become strings.
    """
    node = part.mapping
    if _separator(node):
        return Located({"type": "string"}, part.base, part.pointer)
    schema = {key: value for key, value in node.items() if key not in _NOT_SCHEMA}
    return Located(schema, part.base, part.pointer)


def _separator(node: Mapping[str, Any]) -> str:
    """Return the separator of a list that no style can express; empty for any other list.

    OpenAPI 3 has no style with tabs, and in paths and headers it has only commas.
    """
    if node.get("type") != "array":
        return ""
    format_ = str(node.get("collectionFormat"))
    has_style = format_ != "tsv" and node.get("in") not in ("path", "header")
    return "" if has_style else _SEPARATORS.get(format_, "")


def _description(node: Mapping[str, Any]) -> str:
    separator = _separator(node)
    hint = f"Several values, with {separator} between them." if separator else ""
    return sentences(cleaned(node.get("description")), hint)


def _has_files(node: Mapping[str, Any]) -> bool:
    """Tell whether the items of a list are files. Files are always separate parts of a body."""
    items = node.get("items")
    return isinstance(items, dict) and items.get("type") == "file"


def body(operation: Located, parts: Iterable[Located], consumes: Iterable[str]) -> Body | None:
    """Read the body from the parameters in `body` and `formData`; None if there are none.

    Args:
        operation: The Operation Object.
        parts: The parameters in `body` and `formData`.
        consumes: The media types.
    """
    types = tuple(dict.fromkeys(consumes))
    fields = []
    for part in parts:
        if part.text("in") == "body":
            media = tuple(
                Media(type_, part.at("schema")) for type_ in types or ("application/json",)
            )
            required = part.mapping.get("required")
            return Body(media, required is True, required is False, part.text("description"))
        if part.text("in") == "formData":
            fields.append(part)
    return _form(operation, fields, types) if fields else None


def _form(operation: Located, fields: list[Located], types: tuple[str, ...]) -> Body:
    has_file = any(field.mapping.get("type") == "file" for field in fields)
    multipart = has_file or (_MULTIPART in types and _FORM not in types)
    properties, encoding = {}, {}
    for field in fields:
        name = field.text("name")
        described = {"description": _description(field.mapping)}
        properties[name] = value_schema(field).mapping | described
        style, explode = collection(field.mapping)
        if explode is False:
            encoding[name] = {"style": style or "form", "explode": False}
    required = [field.text("name") for field in fields if field.mapping.get("required") is True]
    schema: JsonObject = {"type": "object", "properties": properties, "required": required}
    located = Located(schema, fields[0].base, f"{operation.pointer}/formData")
    media = Media(_MULTIPART if multipart else _FORM, located, encoding)
    return Body((media,), required=bool(required))


def security_scheme(node: Mapping[str, Any]) -> JsonObject:
    """Convert a security scheme to OpenAPI 3."""
    match node.get("type"):
        case "basic":
            return {**node, "type": "http", "scheme": "basic"}
        case "oauth2":
            names = ("authorizationUrl", "tokenUrl", "scopes")
            flow = {name: node[name] for name in names if name in node}
            return {**node, "flows": {_FLOWS.get(str(node.get("flow")), "implicit"): flow}}
        case _:
            return dict(node)
