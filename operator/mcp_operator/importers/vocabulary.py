"""The fields of MCPTool that an import writes. This is the only module that knows them.

Every function returns plain YAML data, without values that are equal to the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp_operator.api.base import GROUP, VERSION
from mcp_operator.api.catalog import JsonObject
from mcp_operator.importers.security import Access, Scheme

API_VERSION: Final = f"{GROUP}/{VERSION}"

MAX_DESCRIPTION: Final = 1024
"""Characters of a tool's description: the API allows 4000, OpenAI's models 1024."""

MAX_TITLE: Final = 120
MAX_MAPPINGS: Final = 64
MAX_TOOLS: Final = 128
MAX_OBJECT_BYTES: Final = 200 * 1024
"""JSON of one object: far below the 1.5 MiB of an etcd request, and short enough for a review."""

IN_QUERY: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Methods whose arguments go into the query by default."""

BODYLESS: Final = frozenset({"HEAD", "TRACE"})
"""Methods whose requests have no body: RFC 9110, sections 9.3.2 and 9.3.8."""

UNSUPPORTED: Final = {
    "QUERY": "an MCPTool cannot send the method QUERY",
    "TRACE": "a TRACE request returns only the request itself",
}
"""Methods of operations that do not become tools, and why."""

_DEFAULT_STYLES: Final = {
    "path": "simple",
    "query": "form",
    "header": "simple",
    "cookie": "form",
    "body": "form",
}
_STYLES: Final = {
    "path": frozenset({"simple", "label", "matrix", "json"}),
    "query": frozenset({"form", "spaceDelimited", "pipeDelimited", "deepObject", "json"}),
    "header": frozenset({"simple", "json"}),
    "cookie": frozenset({"form", "json"}),
    "body": frozenset({"form", "spaceDelimited", "pipeDelimited", "deepObject", "json"}),
}
"""The styles that each location supports (OpenAPI 3.1, Parameter Object, Style Values)."""

_ONE_VALUE: Final = frozenset({"label", "matrix", "json"})
"""Styles that change how a single value is written, too."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one argument goes.

    Attributes:
        name: The argument.
        location: `path`, `query`, `header`, `cookie` or `body`.
        target: Its name at that location.
        style: Its style; empty for the default of the location.
        explode: Whether each item is written separately; None for the default of the style.
        reserved: Whether reserved characters are not percent-encoded.
        content_type: The media type of its part of a multipart body; empty for the default.
        is_single: Whether it is a string, a number or a boolean, never a list or an object.
    """

    name: str
    location: str
    target: str
    style: str = ""
    explode: bool | None = None
    reserved: bool = False
    content_type: str = ""
    is_single: bool = False


def mapping(placed: Placed, method: str) -> JsonObject | None:
    """Return the entry of request.arguments; None if the argument does not need one."""
    entry: JsonObject = {"name": placed.name, "in": placed.location}
    if placed.target != placed.name:
        entry["as"] = placed.target
    entry |= _written(placed)
    if placed.reserved:
        entry["allowReserved"] = True
    if placed.content_type:
        entry["contentType"] = placed.content_type
    rest = "query" if method in IN_QUERY else "body"
    is_default = placed.location in ("path", rest)
    return None if is_default and len(entry) == len(("name", "in")) else entry


def request(
    mappings: Sequence[JsonObject],
    *,
    query: Iterable[tuple[str, str]] = (),
    whole: str = "",
    content_type: str = "",
    credentials: Mapping[str, Any] | None = None,
) -> JsonObject:
    """Return spec.tools[].request.

    Args:
        mappings: The results of `mapping`.
        query: Constants of the query.
        whole: The argument that is the whole body; empty if the body has fields.
        content_type: The media type of the body; empty if there is none.
        credentials: The result of `credentials`: fields of the request.
    """
    given = dict(credentials or {})
    constants = [{"name": name, "value": value} for name, value in query]
    constants += given.pop("query", [])
    result: JsonObject = {}
    if mappings:
        result["arguments"] = list(mappings)
    if constants:
        result["query"] = constants
    if whole:
        result["body"] = {"from": whole}
    if content_type and content_type != "application/json":
        result["contentType"] = content_type
    return result | given


def credentials(access: Access, base: str) -> JsonObject:
    """Return the fields of a request that authenticate it.

    Args:
        access: How the operation authenticates.
        base: The base of the names of the Secrets.
    """
    fields: JsonObject = {}
    for scheme in access.schemes:
        secret = {"name": scheme.secret_name(base)}
        if scheme.type == "mutualTLS":
            continue  # `tls` of the Service holds the certificate
        if "credentials" not in fields:
            fields["credentials"] = _credentials(scheme, access, secret)
        elif scheme.type in ("Header", "Query"):
            source = {"secretKeyRef": {**secret, "key": scheme.secret_keys[0]}}
            where = "headers" if scheme.type == "Header" else "query"
            fields.setdefault(where, []).append({"name": scheme.target, "valueFrom": source})
    return fields


def _credentials(scheme: Scheme, access: Access, secret: JsonObject) -> JsonObject:
    result: JsonObject = {"type": scheme.type}
    if scheme.type == "Header":
        result["header"] = scheme.target
    elif scheme.target:
        result["name"] = scheme.target
    if scheme.prefix:
        result["prefix"] = scheme.prefix
    result["secretRef"] = secret
    if scheme.type == "OAuth2":
        scopes = {"scopes": list(access.scopes)} if access.scopes else {}
        result["oauth2"] = {"tokenURL": scheme.token_url, **scopes}
    return result


def has_style(location: str, style: str) -> bool:
    """Tell whether a parameter of a location can have a style."""
    return style in _STYLES[location]


def hints(method: str) -> JsonObject:
    """Return the hints that the method alone implies (RFC 9110, section 9.2)."""
    match method:
        case "GET" | "HEAD" | "OPTIONS":
            return {"readOnlyHint": True}
        case "PUT":
            return {"idempotentHint": True}
        case "DELETE":
            return {"destructiveHint": True, "idempotentHint": True}
        case _:
            return {}


def _written(placed: Placed) -> JsonObject:
    """Return style and explode if they differ from the defaults."""
    default = _DEFAULT_STYLES[placed.location]
    style = placed.style if has_style(placed.location, placed.style) else default
    if placed.is_single and style not in _ONE_VALUE:
        return {}
    result: JsonObject = {"style": style} if style != default else {}
    explodes = style == "form"
    if style not in ("json", "deepObject") and placed.explode not in (None, explodes):
        result["explode"] = placed.explode
        if placed.location == "body":
            result = {"style": style, **result}  # a multipart body has no defaults
    return result
