"""The catalog: everything a gateway serves, compiled by the operator, read by every gateway.

A catalog travels as canonical JSON, named by its SHA-256, compressed with gzip and cut into shards
that each fit one ConfigMap (`api.shards`). Readers ignore fields that they do not know, so that
gateway and operator can be one release apart.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from pydantic import Field

from mcp_operator.api.caching import CachePolicy
from mcp_operator.api.catalog_model import CatalogModel
from mcp_operator.api.catalog_request import (
    Argument,
    Backend,
    Credentials,
    Header,
    JsonObject,
    OAuth2,
    SecretKey,
    Style,
)
from mcp_operator.api.catalog_server import (
    DEFAULT_PATH,
    METADATA_PATH,
    ApiKeys,
    Auth,
    Jwt,
    Redis,
    ServerSettings,
)
from mcp_operator.api.client_capabilities import ClientCapability
from mcp_operator.api.limits import RateLimit
from mcp_operator.api.prompts import PromptMessage, PromptVariable

__all__ = [
    "DEFAULT_PATH",
    "METADATA_PATH",
    "SHOWN_HEADERS",
    "ApiKeys",
    "Argument",
    "Auth",
    "Backend",
    "Catalog",
    "Credentials",
    "Header",
    "JsonObject",
    "Jwt",
    "OAuth2",
    "PromptEntry",
    "Redis",
    "ResourceEntry",
    "ResponseMapping",
    "RetryPolicy",
    "SecretKey",
    "ServerSettings",
    "SourceRef",
    "Style",
    "ToolEntry",
    "digest",
]

SHOWN_HEADERS: Final = ("Location", "Link", "Retry-After", "ETag", "X-Total-Count")
"""Headers that a model needs to continue: the id of a new object, the next page, when to retry."""


class SourceRef(CatalogModel):
    """The object that an entry came from."""

    kind: Literal["MCPTool", "MCPPrompt", "MCPResource"]
    namespace: str
    name: str


class ResponseMapping(CatalogModel):
    """How an HTTP answer becomes MCP content.

    `error_when` is a CEL condition that makes an answer an error, whatever its status. `json_path`
    selects a part of a JSON body, and `jmes_path` transforms what was selected. `structured`
    `Auto` adds `structuredContent` when the body is a JSON object or the tool has an output schema.
    A status matching `error_status` (a list such as `4xx,5xx,302`) becomes `isError: true`.
    `mime_type` replaces the media type of the answer, except for errors. `headers` of the answer
    are returned beside its content. `follow_redirects` follows redirects that stay on the Service.
    The gateway reads at most `stream_max_events` events of a stream, for at most
    `stream_max_seconds`. With `native`, a backend can answer with MCP results, and gets the input
    that the client sent back.
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
    native: bool = False

    @property
    def selects(self) -> bool:
        """Whether only a part of a JSON body is returned, or a transformation of it."""
        return bool(self.json_path or self.jmes_path)


class RetryPolicy(CatalogModel):
    """When a request is retried: at most `attempts` times, the first after `backoff_seconds`.

    `on` are HTTP statuses, `connect-failure` and `reset`.
    """

    attempts: int
    on: tuple[str, ...]
    backoff_seconds: float


class TaskPolicy(CatalogModel):
    """When calls of a tool become tasks: `Auto` where its backend answers 202 with a `Location`.

    The gateway polls that location every `poll_seconds`, unless the backend names another delay.
    A task that takes longer than `max_age_seconds` fails.
    """

    mode: Literal["Auto", "Always"]
    poll_seconds: float = 5.0
    max_age_seconds: float = 3600.0


class ToolEntry(CatalogModel):
    """One MCP tool; `annotations` and the schemas go to clients as they are."""

    name: str
    title: str = ""
    description: str = ""
    icons: tuple[JsonObject, ...] = ()
    input_schema: JsonObject
    output_schema: JsonObject | None = None
    annotations: JsonObject = Field(default_factory=dict)
    backend: Backend
    response: ResponseMapping = ResponseMapping()
    retries: RetryPolicy | None = None
    task: TaskPolicy | None = None
    rate_limit: RateLimit | None = None
    max_concurrent_requests: int | None = None
    required_client_capabilities: tuple[ClientCapability, ...] = ()
    cache: CachePolicy | None = None
    source: SourceRef

    @property
    def listed_output_schema(self) -> JsonObject | None:
        """The output schema that clients see. Clients reject results that lack its structure."""
        return None if self.response.structured == "Never" else self.output_schema


class PromptEntry(CatalogModel):
    """One MCP prompt."""

    name: str
    title: str = ""
    description: str = ""
    icons: tuple[JsonObject, ...] = ()
    variables: tuple[PromptVariable, ...] = ()
    messages: tuple[PromptMessage, ...]
    source: SourceRef


class ResourceEntry(CatalogModel):
    """One MCP resource or resource template.

    Exactly one of `uri` and `uri_template` is set. The content is exactly one of `text`, `blob`
    (base64), `secret` (read by the gateway), or `backend` (an HTTP GET; a template's variables are
    the backend's arguments by name). `response` says how the answer of the backend becomes content.
    While a client is subscribed, the gateway polls the backend every `poll_seconds` for changes.
    """

    name: str
    title: str = ""
    description: str = ""
    icons: tuple[JsonObject, ...] = ()
    uri: str = ""
    uri_template: str = ""
    mime_type: str = "text/plain"
    annotations: JsonObject = Field(default_factory=dict)
    text: str | None = None
    blob: str | None = None
    secret: SecretKey | None = None
    backend: Backend | None = None
    response: ResponseMapping = ResponseMapping()
    poll_seconds: float | None = None
    cache: CachePolicy | None = None
    source: SourceRef


class Catalog(CatalogModel):
    """All that one MCPServer serves. Each list is sorted by name: equal catalogs are identical.

    A catalog with `auth` has version 2, so that a gateway that does not know `auth` rejects the
    whole catalog instead of serving everybody.
    """

    schema_version: Literal[1, 2] = 1
    server: ServerSettings
    tools: tuple[ToolEntry, ...] = ()
    prompts: tuple[PromptEntry, ...] = ()
    resources: tuple[ResourceEntry, ...] = ()

    def canonical(self) -> bytes:
        """Return the canonical JSON of this catalog, without defaults and unset fields."""
        lists = {"tools": self.tools, "prompts": self.prompts, "resources": self.resources}
        parts = [f'"server":{self.server.canonical_json}']
        for name, entries in lists.items():
            if entries:
                parts.append(f'"{name}":[{",".join([one.canonical_json for one in entries])}]')
        return f'{{{",".join(parts)},"schemaVersion":{self.schema_version}}}'.encode()


def digest(canonical: bytes) -> str:
    """Return the catalog's name: the SHA-256 of its canonical encoding, in lower-case hex."""
    return hashlib.sha256(canonical).hexdigest()
