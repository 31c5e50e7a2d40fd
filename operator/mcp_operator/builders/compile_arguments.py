"""Maps each argument of a tool to its place: as declared, otherwise to the path, query or body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mcp_operator.api.catalog import Argument, JsonObject
from mcp_operator.api.places import has_fields, is_form, is_json
from mcp_operator.api.properties import has_room, in_place, named_properties
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.mcptool import ToolDefinition
from mcp_operator.api.v1alpha1.request import ArgumentMapping, ToolRequest
from mcp_operator.builders.check_request import IN_TOOL, check_request
from mcp_operator.builders.compile_http import path_places
from mcp_operator.builders.compiled import InvalidError

BODYLESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Methods whose arguments go into the query by default, because a body has no defined meaning for
them (RFC 9110, section 9.3)."""

_BASE64: Final = frozenset({"base64", "base64url"})


@dataclass(frozen=True, slots=True)
class Placing:
    """Where the arguments of a tool go.

    Attributes:
        arguments: Every argument that the schema names.
        rest: Where arguments go that it allows without naming them; None if they cannot be sent.
    """

    arguments: tuple[Argument, ...] = ()
    rest: Literal["query", "body"] | None = None


def input_schema(definition: ToolDefinition) -> JsonObject:
    """Return the schema as declared; without one, a schema of the path's places and mappings."""
    if definition.input_schema is not None:
        return definition.input_schema
    mappings = _mappings(definition)
    fillers = {place: place for place in path_places(definition.path or "")}
    fillers |= {target: name for name, target in _path_targets(mappings).items()}
    body = _request(definition).body
    files = [one.file_name_from for one in mappings.values() if one.file_name_from]
    named = dict.fromkeys([*fillers.values(), *mappings, *files])
    types: JsonObject = {name: {"type": "string"} for name in named}
    if body is not None and body.from_ is not None:
        types.setdefault(body.from_, {})
    if not types:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    schema: JsonObject = {"type": "object", "properties": types}
    return schema | ({"required": list(fillers.values())} if fillers else {})


def place_arguments(definition: ToolDefinition, schema: JsonObject) -> Placing:
    """Map every argument in the schema: as declared, otherwise to the path, the query or the body.

    Raises:
        InvalidError: Two arguments have the same place, or an argument or a place is undeclared.
    """
    declared = named_properties(schema)
    mappings, request = _mappings(definition), _request(definition)
    _check_declared(definition, declared, mappings)
    named_files = {one.file_name_from for one in mappings.values()} - {None, *mappings}
    places = set(path_places(definition.path or "")) - set(_path_targets(mappings).values())
    default: Literal["query", "body"] = "body"
    if (definition.method or "POST") in BODYLESS or (request.body and request.body.from_):
        default = "query"
    unlisted = dict.fromkeys(declared, default) | dict.fromkeys(places, "path")
    if request.body is not None and request.body.from_ is not None:
        unlisted[request.body.from_] = "body"
    arguments = tuple(
        _argument(
            mappings.get(name) or _unlisted(name, unlisted[name]),
            request,
            base64=_is_base64(schema, declared[name]),
        )
        for name in declared
        if name not in named_files or name in places
    )
    check_request(request, arguments, IN_TOOL)
    room = has_room(schema) and (default == "query" or has_fields(request.content_type))
    return Placing(arguments, default if room else None)


def _request(definition: ToolDefinition) -> ToolRequest:
    return definition.request or ToolRequest()


def _mappings(definition: ToolDefinition) -> dict[str, ArgumentMapping]:
    return {mapping.name: mapping for mapping in _request(definition).arguments}


def _path_targets(mappings: Mapping[str, ArgumentMapping]) -> dict[str, str]:
    """Return the place in the path for each argument that is mapped to one."""
    return {
        name: mapping.target or name
        for name, mapping in mappings.items()
        if mapping.location == "path"
    }


def _unlisted(name: str, location: str) -> ArgumentMapping:
    return ArgumentMapping.model_validate({"name": name, "in": location})


def _argument(mapping: ArgumentMapping, request: ToolRequest, *, base64: bool) -> Argument:
    kind = request.content_type
    raw = mapping.location == "body" and not is_json(kind) and not is_form(kind)
    return Argument(
        name=mapping.name,
        location=mapping.location,
        target=mapping.target or mapping.name,
        style=mapping.style,
        explode=mapping.explode,
        allow_reserved=mapping.allow_reserved,
        base64=raw and base64,
        content_type=mapping.content_type or "",
        file_name=mapping.file_name or "",
        file_name_from=mapping.file_name_from or "",
    )


def _is_base64(root: JsonObject, schema: Any) -> bool:
    """Return whether a schema, or that of its items, describes base64.

    In OpenAPI 3.0, `format: byte` stands for base64, and `format: binary` for bytes, which an
    argument can hold only as base64.
    """
    nodes = list(in_place(root, schema))
    nodes += [one for node in nodes for one in in_place(root, node.get("items"))]
    return any(
        node.get("contentEncoding") in _BASE64 or node.get("format") in {"byte", "binary"}
        for node in nodes
    )


def _check_declared(
    definition: ToolDefinition,
    declared: Mapping[str, object],
    mappings: Mapping[str, ArgumentMapping],
) -> None:
    targets = _path_targets(mappings)
    for place in path_places(definition.path or ""):
        if place not in declared and place not in targets.values():
            raise InvalidError(
                Reason.UNDECLARED_ARGUMENT,
                f"the path {definition.path} has {{{place}}}, which inputSchema.properties does "
                "not declare: declare it, or correct the name",
            )
    for name, mapping in mappings.items():
        if name not in declared:
            raise InvalidError(
                Reason.UNDECLARED_ARGUMENT,
                f"request.arguments maps {name!r}, which inputSchema.properties does not declare: "
                "declare it, or correct the name",
            )
        if mapping.file_name_from and mapping.file_name_from not in declared:
            raise InvalidError(
                Reason.UNDECLARED_ARGUMENT,
                f"request.arguments names {mapping.file_name_from!r} in fileNameFrom of {name!r}, "
                "which inputSchema.properties does not declare: declare it, or correct the name",
            )
    for name, target in targets.items():
        if target not in path_places(definition.path or ""):
            raise InvalidError(
                Reason.UNDECLARED_ARGUMENT,
                f"request.arguments maps {name!r} to {{{target}}}, which the path does not have: "
                "add it to the path, or correct the name",
            )
