"""Where each argument of a tool goes: as its author says, else into path, query or body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from mcp_operator.api.catalog import Argument, JsonObject
from mcp_operator.api.nesting import MAX_DEPTH, place_beyond
from mcp_operator.api.places import NOT_FOR_ARGUMENTS, has_fields, is_form, is_json, is_multipart
from mcp_operator.api.properties import has_room, in_place, named_properties
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.mcptool import ToolDefinition
from mcp_operator.api.v1alpha1.request import ArgumentMapping, ToolRequest
from mcp_operator.builders.compile_http import path_places
from mcp_operator.builders.compiled import InvalidError

BODYLESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Methods whose arguments go into the query unless told otherwise: RFC 9110 section 9.3 gives their
bodies no meaning of its own."""

_BASE64: Final = frozenset({"base64", "base64url"})


@dataclass(frozen=True, slots=True)
class Placing:
    """Where the arguments of a tool go.

    Attributes:
        arguments: Every argument that the schema names.
        rest: Where those go that it allows without naming them.
    """

    arguments: tuple[Argument, ...] = ()
    rest: Literal["query", "body"] | None = None


def input_schema(definition: ToolDefinition) -> JsonObject:
    """Return the schema as written; where none is, one that declares the path's places."""
    if definition.input_schema is not None:
        return definition.input_schema
    mappings = _mappings(definition)
    fillers = {place: place for place in path_places(definition.path or "")}
    fillers |= {target: name for name, target in _path_targets(mappings).items()}
    body = _request(definition).body
    named = dict.fromkeys([*fillers.values(), *mappings])
    types: JsonObject = {name: {"type": "string"} for name in named}
    if body is not None and body.from_ is not None:
        types.setdefault(body.from_, {})
    if not types:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    schema: JsonObject = {"type": "object", "properties": types}
    return schema | ({"required": list(fillers.values())} if fillers else {})


def place_arguments(definition: ToolDefinition, schema: JsonObject) -> Placing:
    """Map every argument that the schema names: as told, else into the path, the query or the body.

    Raises:
        InvalidError: Two take one place, or one has none.
    """
    declared = named_properties(schema)
    mappings, request = _mappings(definition), _request(definition)
    _check_declared(definition, declared, mappings)
    _check_headers(mappings)
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
    )
    _check_body(request, arguments, mappings)
    _check_query(request, arguments)
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
    )


def _is_base64(root: JsonObject, schema: Any) -> bool:
    """Tell whether a schema, or that of its items, is of text that stands for bytes.

    `format: byte` is OpenAPI 3.0's word for base64, `format: binary` its word for bytes, which an
    argument cannot hold otherwise.
    """
    nodes = list(in_place(root, schema))
    nodes += [one for node in nodes for one in in_place(root, node.get("items"))]
    return any(
        node.get("contentEncoding") in _BASE64 or node.get("format") in {"byte", "binary"}
        for node in nodes
    )


def _check_headers(mappings: Mapping[str, ArgumentMapping]) -> None:
    for name, mapping in mappings.items():
        header = mapping.target or name
        if mapping.location == "header" and header.lower() in NOT_FOR_ARGUMENTS:
            raise InvalidError(
                Reason.INVALID,
                f"request.arguments maps {name!r} to the header {header}, which no argument may "
                "set: use request.credentials or request.headers",
            )


def _check_query(request: ToolRequest, arguments: Sequence[Argument]) -> None:
    taken = {one.name for one in request.query}
    for argument in arguments:
        if argument.location == "query" and argument.target in taken:
            raise InvalidError(
                Reason.INVALID,
                f"request.query sets {argument.target}, and the argument {argument.name!r} goes "
                "there too: map it elsewhere with request.arguments, or remove one of them",
            )


def _check_body(
    request: ToolRequest,
    arguments: Sequence[Argument],
    mappings: Mapping[str, ArgumentMapping],
) -> None:
    for sentence in _body_faults(request, arguments, mappings):
        raise InvalidError(Reason.INVALID, sentence)


def _body_faults(
    request: ToolRequest,
    arguments: Sequence[Argument],
    mappings: Mapping[str, ArgumentMapping],
) -> Iterator[str]:
    kind, body = request.content_type, request.body
    fields = [argument for argument in arguments if argument.location == "body"]
    named = ", ".join(argument.name for argument in fields)
    if body is not None and body.from_ is not None:
        if [argument.name for argument in fields] != [body.from_]:
            yield (
                f"request.body.from makes {body.from_!r} the whole body, and these go there: "
                f"{named or 'none'}; declare it in inputSchema and map the others elsewhere"
            )
        if is_multipart(kind):
            yield f"a body of type {kind} has a part for each argument: remove request.body.from"
    elif len(fields) > 1 and not has_fields(kind):
        yield (
            f"a body of type {kind} is made of one argument, and these go there: {named}; map the "
            "others elsewhere with request.arguments"
        )
    constants = body.constants if body is not None else {}
    if constants and not has_fields(kind):
        yield f"a body of type {kind} has no fields: remove request.body.constants"
    if place_beyond(constants) is not None:
        yield f"request.body.constants is nested deeper than {MAX_DEPTH} levels: flatten it"
    for argument in fields:
        if argument.target in constants:
            yield (
                f"request.body.constants sets {argument.target}, and the argument "
                f"{argument.name!r} goes there too: map it elsewhere, or remove one of them"
            )
        written = mappings.get(argument.name)
        if written is not None:
            yield from _part_faults(written, kind)


def _part_faults(mapping: ArgumentMapping, kind: str) -> Iterator[str]:
    styled = mapping.style is not None or mapping.explode is not None or mapping.allow_reserved
    if styled and not (is_form(kind) or is_multipart(kind)):
        yield (
            f"request.arguments gives {mapping.name!r} a style, explode or allowReserved, which a "
            f"body of type {kind} has no use for: remove it"
        )
    if is_multipart(kind) and mapping.style is None and (mapping.explode or mapping.allow_reserved):
        yield f"a part of a multipart body has no explode without style: give {mapping.name!r} one"
    if (mapping.content_type or mapping.file_name) and not is_multipart(kind):
        yield (
            f"request.arguments gives {mapping.name!r} a contentType or fileName, which only a "
            "part of multipart/form-data has: set request.contentType"
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
                "not declare",
            )
    for name in mappings:
        if name not in declared:
            raise InvalidError(
                Reason.UNDECLARED_ARGUMENT,
                f"request.arguments maps {name!r}, which inputSchema.properties does not declare",
            )
    for name, target in targets.items():
        if target not in path_places(definition.path or ""):
            raise InvalidError(
                Reason.UNDECLARED_ARGUMENT,
                f"request.arguments maps {name!r} into the path, which has no {{{target}}}",
            )
