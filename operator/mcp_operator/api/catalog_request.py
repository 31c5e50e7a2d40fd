"""The requests of a catalog: where they go, and what they contain."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mcp_operator.api.catalog_model import CatalogModel, Strict

JsonObject = dict[str, Any]

Style = Literal[
    "simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "json"
]
"""How a value is written outside of a JSON body: OpenAPI 3.1's styles, and JSON text."""


class SecretKey(CatalogModel):
    """One key of one Secret, read by the gateway itself; its value is never in a catalog."""

    namespace: str
    name: str
    key: str


class Header(Strict):
    """A request header or query parameter with a fixed value, or one from a Secret at call time."""

    name: str
    value: str | None = None
    secret: SecretKey | None = None


class OAuth2(Strict):
    """Where to get an access token, for the client in `username` and `secret` of the credentials.

    `endpoint` is the token endpoint. With `in_form`, the client's credentials go into the form
    instead of the header `Authorization`.
    """

    endpoint: Backend
    scopes: tuple[str, ...] = ()
    audience: str = ""
    resource: str = ""
    in_form: bool = False


class Credentials(Strict):
    """Credentials that the gateway sends to the backend.

    `Bearer` sends `secret` in `Authorization: Bearer`; `Basic` joins `username` and `secret` (the
    password); `Header`, `Query` and `Cookie` send `secret` under `name`; `OAuth2` gets an access
    token, and sends it as `Bearer` does. All but `Basic` put `prefix` before the value; for
    `Bearer`, an empty `prefix` means "Bearer ".
    """

    type: Literal["Bearer", "Basic", "Header", "Query", "Cookie", "OAuth2"]
    name: str = "Authorization"
    prefix: str = ""
    secret: SecretKey
    username: SecretKey | None = None
    oauth2: OAuth2 | None = None


class Argument(Strict):
    """Where one argument goes in the HTTP request; `target` is its name there.

    `style` and `explode` are those of OpenAPI, and `json`; if unset, they are the defaults of the
    location. With `base64`, the text is base64, and the gateway sends the decoded bytes.
    `content_type` and `file_name` belong to a part of a multipart body; `file_name_from` names the
    argument that contains its file name.
    """

    name: str
    location: Literal["path", "query", "header", "cookie", "body"] = Field(alias="in")
    target: str
    style: Style | None = None
    explode: bool | None = None
    allow_reserved: bool = False
    base64: bool = False
    content_type: str = ""
    file_name: str = ""
    file_name_from: str = ""
    required: bool = False
    default: Any = None
    enum: tuple[str, ...] = ()


class Backend(Strict):
    """One HTTP operation of a Service, or of a host outside of the cluster.

    `host` is the Service's DNS name, `port` its number: the operator sets them, never an argument.
    `virtual_host` is the name that requests send instead of `host`. `external` says that `host` is
    outside of the cluster, and that the installation allows it.
    `path` is the absolute path template with `{name}` places. `arguments` lists every mapped
    argument explicitly. Other arguments that the schema allows go to `rest` under their own names,
    or are not sent. `body_from` names the argument that is the whole body, `constants` holds fields
    that every body has.
    Where `timeout_seconds` or `max_response_bytes` is None, the server's setting applies.
    """

    scheme: Literal["http", "https"] = "http"
    host: str
    port: int
    external: bool = False
    virtual_host: str = ""
    method: str = "GET"
    path: str = "/"
    arguments: tuple[Argument, ...] = ()
    rest: Literal["query", "body"] | None = None
    query: tuple[Header, ...] = ()
    headers: tuple[Header, ...] = ()
    body_from: str = ""
    constants: JsonObject = Field(default_factory=dict)
    forward_headers: tuple[str, ...] = ()
    content_type: str = "application/json"
    credentials: Credentials | None = None
    ca: SecretKey | None = None
    client_certificate: SecretKey | None = None
    client_key: SecretKey | None = None
    server_name: str = ""
    insecure_skip_verify: bool = False
    timeout_seconds: float | None = None
    max_response_bytes: int | None = None
