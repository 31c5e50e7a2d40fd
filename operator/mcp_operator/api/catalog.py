"""The catalog: everything a gateway serves, compiled by the operator, read by every gateway.

A catalog travels as canonical JSON, named by its SHA-256, compressed with gzip and cut into shards
that each fit one ConfigMap (`api.shards`). Readers ignore fields they do not know, so that gateway
and operator may be one release apart.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

from pydantic import Field

from mcp_operator.api.access import AccessRule
from mcp_operator.api.catalog_model import CatalogModel, Strict
from mcp_operator.api.limits import RateLimit, RateLimits
from mcp_operator.api.prompts import PromptMessage, PromptVariable

JsonObject = dict[str, Any]

Style = Literal[
    "simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "json"
]
"""How a value is written outside of a JSON body: OpenAPI 3.1's styles, and JSON text."""

DEFAULT_PATH: Final = "/mcp"
"""Where every server answers."""

METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
"""Where clients look for a server's identity provider; its own path follows (RFC 9728 §3.1)."""

SHOWN_HEADERS: Final = ("Location", "Link", "Retry-After", "ETag", "X-Total-Count")
"""What a model needs to go on: the id of what it made, the next page, when to try again."""


class SourceRef(CatalogModel):
    """The object that an entry came from."""

    kind: Literal["MCPTool", "MCPPrompt", "MCPResource"]
    namespace: str
    name: str


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
    """Where an access token comes from; the client is `username` and `secret` of the credentials.

    `endpoint` is the token endpoint. With `in_form`, the client's credentials go into the form
    instead of the header `Authorization`.
    """

    endpoint: Backend
    scopes: tuple[str, ...] = ()
    audience: str = ""
    resource: str = ""
    in_form: bool = False


class Credentials(Strict):
    """What the gateway authenticates with to the backend.

    `Bearer` sends `secret` in `Authorization: Bearer`; `Basic` joins `username` and `secret` (the
    password); `Header`, `Query` and `Cookie` send `secret` under `name`, all but `Basic` after
    `prefix`, which for `Bearer` is "Bearer " where it is empty; `OAuth2` sends a token of its own
    as `Bearer` does.
    """

    type: Literal["Bearer", "Basic", "Header", "Query", "Cookie", "OAuth2"]
    name: str = "Authorization"
    prefix: str = ""
    secret: SecretKey
    username: SecretKey | None = None
    oauth2: OAuth2 | None = None


class Argument(Strict):
    """Where one argument goes in the HTTP request; `target` is its name there.

    `style` and `explode` are OpenAPI's, and `json`; left out, they are those of the location.
    `base64` says that the bytes are sent that the text stands for. `content_type` and `file_name`
    are those of a part of a multipart body; `file_name_from` names the argument that holds a file
    name for it.
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

    `host` is the Service's DNS name, `port` its number: fixed by the operator, never by arguments.
    `virtual_host` is the name that requests carry in place of it. `external` says that `host` is
    one outside of the cluster, which the installation allows.
    `path` is the absolute path template with `{name}` places. `arguments` lists every mapped
    argument explicitly. What the schema allows beyond them goes to `rest` under its own name, or
    nowhere. `body_from` names the argument that is the whole body, `constants` holds fields that
    every body has.
    Where `timeout_seconds` or `max_response_bytes` is None, the server's setting holds.
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


class ResponseMapping(CatalogModel):
    """How an HTTP answer becomes MCP content.

    `error_when` is a CEL condition that makes an answer an error whatever its status. `json_path`
    picks a part of a JSON body, `jmes_path` makes something else of what was picked. `structured`
    `Auto` adds `structuredContent` when the body is a JSON object or the tool has an output schema.
    A status matching `error_status` (a list such as `4xx,5xx,302`) becomes `isError: true`.
    `mime_type` takes the place of the answer's own where it is no error. `headers` of the answer
    are shown beside its content. `follow_redirects` follows those that stay on the Service. A
    stream is read to its `stream_max_events`th event and for `stream_max_seconds` at most.
    """

    error_when: str = ""
    json_path: str = ""
    jmes_path: str = ""
    structured: Literal["Auto", "Always", "Never"] = "Auto"
    error_status: str = "4xx,5xx"
    mime_type: str = ""
    headers: tuple[str, ...] = SHOWN_HEADERS
    follow_redirects: Literal["SameService", "Never"] = "SameService"
    stream_max_events: int | None = None
    stream_max_seconds: float | None = None

    @property
    def selects(self) -> bool:
        """Whether a part of a JSON body is returned, or something made of it."""
        return bool(self.json_path or self.jmes_path)


class RetryPolicy(CatalogModel):
    """When a request is sent again: at most `attempts` times, first after `backoff_seconds`.

    `on` are HTTP statuses, `connect-failure` and `reset`.
    """

    attempts: int
    on: tuple[str, ...]
    backoff_seconds: float


class ToolEntry(CatalogModel):
    """One MCP tool; `annotations` and the schemas go to clients as they are."""

    name: str
    title: str = ""
    description: str = ""
    input_schema: JsonObject
    output_schema: JsonObject | None = None
    annotations: JsonObject = Field(default_factory=dict)
    backend: Backend
    response: ResponseMapping = ResponseMapping()
    retries: RetryPolicy | None = None
    rate_limit: RateLimit | None = None
    max_concurrent_requests: int | None = None
    source: SourceRef

    @property
    def listed_output_schema(self) -> JsonObject | None:
        """The output schema that clients see: they refuse results without the structure of one."""
        return None if self.response.structured == "Never" else self.output_schema


class PromptEntry(CatalogModel):
    """One MCP prompt."""

    name: str
    title: str = ""
    description: str = ""
    variables: tuple[PromptVariable, ...] = ()
    messages: tuple[PromptMessage, ...]
    source: SourceRef


class ResourceEntry(CatalogModel):
    """One MCP resource or resource template.

    Exactly one of `uri` and `uri_template` is set. The content is exactly one of `text`, `blob`
    (base64), `secret` (read by the gateway), or `backend` (an HTTP GET; a template's variables are
    the backend's arguments by name), whose answer becomes content by `response`.
    """

    name: str
    title: str = ""
    description: str = ""
    uri: str = ""
    uri_template: str = ""
    mime_type: str = "text/plain"
    annotations: JsonObject = Field(default_factory=dict)
    text: str | None = None
    blob: str | None = None
    secret: SecretKey | None = None
    backend: Backend | None = None
    response: ResponseMapping = ResponseMapping()
    source: SourceRef


class ApiKeys(Strict):
    """Clients that send an API key: each value of the Secret is one, its key the client's name.

    In place of the Secret `name` there may be several `names`: clients are named SECRET/KEY then.
    """

    header: str = "authorization"
    namespace: str
    name: str = ""
    names: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of all Secrets."""
        return self.names or (self.name,)


class Jwt(Strict):
    """Clients that send an access token, and what RFC 9728 metadata tells them.

    The public keys are `keys`, a JWK set, or are read from `endpoint`. Where there is neither, no
    token can be verified.
    """

    issuer: str
    audiences: tuple[str, ...]
    endpoint: Backend | None = None
    keys: JsonObject | None = None
    user_claim: str = "sub"
    required_scopes: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    authorization_servers: tuple[str, ...] = ()
    resource: str = ""


class Auth(Strict):
    """Whom a gateway serves, and what.

    One of the two ways to tell clients apart; with neither, or with an unknown part, nobody is
    served. Without `rules`, each client is served everything.
    """

    api_keys: ApiKeys | None = None
    jwt: Jwt | None = None
    rules: tuple[AccessRule, ...] = ()


class Redis(Strict):
    """The Redis that the gateways of a server share; with `master_name`, Sentinels that know it.

    `keys` is what the names of all keys begin with, a hash tag included: all keys of a server are
    in one slot of a Cluster. `failure_mode` says what limited calls meet while Redis is away.
    """

    host: str
    port: int
    keys: str
    db: int = 0
    username: SecretKey | None = None
    password: SecretKey | None = None
    tls: bool = False
    ca: SecretKey | None = None
    server_name: str = ""
    insecure_skip_verify: bool = False
    master_name: str = ""
    sentinel_username: SecretKey | None = None
    sentinel_password: SecretKey | None = None
    failure_mode: Literal["Open", "Closed"] = "Open"


class ServerSettings(CatalogModel):
    """The server-wide settings that a gateway follows without a restart. Durations in seconds.

    `paths` are those of the URL that MCP is served at, without a trailing slash. Without `auth`,
    everybody is served. `own_hosts` are the names that the server has by itself, a leading `*.` for
    all below; where there are `allowed_hosts`, no other name than these and its own is served.
    """

    namespace: str
    name: str
    uid: str = ""
    title: str = ""
    version: str = ""
    website_url: str = ""
    icons: tuple[JsonObject, ...] = ()
    instructions: str = ""
    page_size: int = 1000
    request_timeout_seconds: float = 30.0
    max_concurrent_requests: int = 100
    max_concurrent_requests_per_client: int | None = None
    max_request_bytes: int = 4 * 1024 * 1024
    max_response_bytes: int = 10 * 1024 * 1024
    drain_timeout_seconds: float = 30.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    paths: tuple[str, ...] = (DEFAULT_PATH,)
    auth: Auth | None = None
    rate_limits: RateLimits | None = None
    redis: Redis | None = None
    audit: Literal["Off", "Failures", "All"] = "Off"
    own_hosts: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    session_ttl_seconds: float = 24 * 3600.0


class Catalog(CatalogModel):
    """All that one MCPServer serves; each list is sorted by name, so that equal means identical.

    A catalog with `auth` has version 2, so that a gateway which does not know `auth` refuses the
    whole instead of serving everybody.
    """

    schema_version: Literal[1, 2] = 1
    server: ServerSettings
    tools: tuple[ToolEntry, ...] = ()
    prompts: tuple[PromptEntry, ...] = ()
    resources: tuple[ResourceEntry, ...] = ()

    def canonical(self) -> bytes:
        """Return the one JSON encoding of this catalog: defaults and unset fields left out."""
        lists = {"tools": self.tools, "prompts": self.prompts, "resources": self.resources}
        parts = [f'"server":{self.server.canonical_json}']
        for name, entries in lists.items():
            if entries:
                parts.append(f'"{name}":[{",".join([one.canonical_json for one in entries])}]')
        return f'{{{",".join(parts)},"schemaVersion":{self.schema_version}}}'.encode()


def digest(canonical: bytes) -> str:
    """Return the catalog's name: the SHA-256 of its canonical encoding, in lower-case hex."""
    return hashlib.sha256(canonical).hexdigest()
