"""How a call becomes an HTTP request: where its arguments go, and how they are written there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, list_map, matching, rule, validated
from mcp_operator.api.catalog import Style
from mcp_operator.api.v1alpha1.backend import (
    RequestCredentials,
    RequestHeader,
    RequestQuery,
    TargetName,
)
from mcp_operator.api.v1alpha1.common import BodyType, HeaderName, PartType

STYLE_RULES = (
    rule(
        "!has(self.style) || self.__in__ != 'path' "
        "|| self.style in ['simple', 'label', 'matrix', 'json']",
        "in: path takes the styles simple, label, matrix and json",
        field_path=".style",
    ),
    rule(
        "!has(self.style) || !(self.__in__ in ['query', 'body']) "
        "|| !(self.style in ['simple', 'label', 'matrix'])",
        "in: query and in: body take the styles form, spaceDelimited, pipeDelimited, deepObject "
        "and json",
        field_path=".style",
    ),
    rule(
        "!has(self.style) || self.__in__ != 'header' || self.style in ['simple', 'json']",
        "in: header takes the styles simple and json",
        field_path=".style",
    ),
    rule(
        "!has(self.style) || self.__in__ != 'cookie' || self.style in ['form', 'json']",
        "in: cookie takes the styles form and json",
        field_path=".style",
    ),
    rule(
        "!has(self.allowReserved) || !self.allowReserved "
        "|| self.__in__ in ['path', 'query', 'body']",
        "allowReserved is for in: path, in: query and the fields of a form; remove it",
        field_path=".allowReserved",
    ),
)
"""Which styles a place takes: OpenAPI 3.1, the table under "Style Values"."""

EXPLODE_RULES = (
    rule(
        "!has(self.explode) || !has(self.style) || self.style != 'json'",
        "style: json writes the whole value as one text; remove explode",
        field_path=".explode",
    ),
    rule(
        "!has(self.explode) || self.explode || !has(self.style) || self.style != 'deepObject'",
        "style: deepObject always writes one pair for each part; remove explode, or set it to true",
        field_path=".explode",
    ),
)

FORWARD_RULES = (
    rule(
        "!has(self.forwardHeaders) "
        "|| (has(self.allowCredentialForwarding) && self.allowCredentialForwarding) "
        "|| !self.forwardHeaders.exists(h, h.matches('^(?i:authorization|cookie2?)$'))",
        "Authorization and Cookie have the credentials of the client, and the backend could use "
        "them to act as the client; use credentials, or set allowCredentialForwarding: true "
        "beside forwardHeaders",
        field_path=".forwardHeaders",
    ),
)
"""What a client authenticates with stays with the gateway unless its author says otherwise."""

ArgumentName = Annotated[str, Field(min_length=1, max_length=128)]

FileName = Annotated[
    str,
    matching(
        r"^[^\x00-\x1f\x7f/\\\x22]+$",
        "write a file name without slashes, quotes and control characters",
        max_length=100,
    ),
]


class ArgumentMapping(ApiModel):
    """Where one argument goes in the HTTP request, and how it is written there."""

    model_config = validated(
        *STYLE_RULES,
        *EXPLODE_RULES,
        rule(
            "self.__in__ == 'body' || !has(self.contentType)",
            "contentType is for a part of a multipart body; set in: body, or remove it",
            field_path=".contentType",
        ),
        rule(
            "self.__in__ == 'body' || !has(self.fileName)",
            "fileName is for a part of a multipart body; set in: body, or remove it",
            field_path=".fileName",
        ),
        rule(
            "self.__in__ == 'body' || !has(self.fileNameFrom)",
            "fileNameFrom is for a part of a multipart body; set in: body, or remove it",
            field_path=".fileNameFrom",
        ),
    )

    name: ArgumentName
    """Name of the argument: a property of inputSchema."""
    location: Literal["path", "query", "header", "cookie", "body"] = Field(alias="in")
    """Part of the request."""
    target: TargetName | None = Field(default=None, alias="as")
    """Name there; that of the argument when left out."""
    style: Style | None = None
    """How lists and objects are written outside of a JSON body, in OpenAPI's words; json writes the
    value as JSON text. When left out: simple in the path and in headers, form in the query, in
    cookies and in form bodies."""
    explode: bool | None = None
    """Whether each item of a list and each member of an object is written on its own; when left
    out, true for form and false for the other styles."""
    allow_reserved: bool = False
    """Whether reserved characters stay as they are. In the path, the value may then hold slashes,
    which are sent encoded, and is still refused with a . or .. between them."""
    content_type: PartType | None = None
    """Media type of this part of a multipart body."""
    file_name: FileName | None = None
    """File name of this part of a multipart body; the part's own name for base64 when left out."""
    file_name_from: ArgumentName | None = None
    """Argument with the file name of this part, or with
    a list of names if the part is a list; fileName if a call does not have it. The argument itself
    is sent only if it is also mapped, or is part of the path."""


class RequestBody(ApiModel):
    """What the body holds besides, or instead of, one field for each argument."""

    model_config = validated(
        rule(
            "has(self.from) != has(self.constants)",
            "set exactly one of from and constants: a body that is one argument has no fields",
        )
    )

    from_: ArgumentName | None = Field(default=None, alias="from")
    """The argument that is the whole body: any JSON value for a JSON body, a text or base64 for
    other types. The other arguments go into the query unless mapped elsewhere."""
    constants: dict[str, Any] = Field(default_factory=dict)
    """Constant fields of every body, besides those of the arguments; for JSON and form bodies."""


class RequestFields(ApiModel):
    """What tools and the operations of resources say of their requests, besides the arguments."""

    query: tuple[RequestQuery, ...] = Field(
        default_factory=tuple, max_length=16, json_schema_extra=list_map("name")
    )
    """Query parameters added to every request."""
    headers: tuple[RequestHeader, ...] = Field(
        default_factory=tuple, max_length=16, json_schema_extra=list_map("name")
    )
    """Headers added to every request."""
    body: RequestBody | None = None
    """The body, if it does not have one field for each argument."""
    forward_headers: tuple[HeaderName, ...] = Field(
        default_factory=tuple, max_length=32, json_schema_extra=LIST_SET
    )
    """Headers of the client's request that are passed on; none by default. Authorization and Cookie
    need allowCredentialForwarding."""
    allow_credential_forwarding: bool = Field(default_factory=lambda: False)
    """Whether forwardHeaders may name Authorization and Cookie; false when left out. The backend
    can then act as the client wherever its token or cookie is accepted."""
    content_type: BodyType = Field(default_factory=lambda: "application/json")
    """Media type of the body; application/json when left out. JSON,
    application/x-www-form-urlencoded and multipart/form-data have a field for each argument; any
    other type, such as application/octet-stream or text/csv, is one argument as it is. An argument
    whose schema says contentEncoding: base64 is sent as its bytes, except in JSON."""
    credentials: RequestCredentials | None = None
    """Credentials that the gateway sends to the backend."""


class ToolRequest(RequestFields):
    """How a call becomes an HTTP request.

    Arguments without a mapping go where the path has {name}, else into the query of GET, HEAD,
    OPTIONS and DELETE and into the body of the other methods. What inputSchema does not name is not
    sent, unless it has additionalProperties, unevaluatedProperties or patternProperties.
    """

    model_config = validated(*FORWARD_RULES)

    arguments: tuple[ArgumentMapping, ...] = Field(
        default_factory=tuple, max_length=64, json_schema_extra=list_map("name")
    )
    """Arguments with another place or format than the default."""
