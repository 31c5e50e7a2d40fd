"""MCPTool: tools backed by an HTTP Service."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, list_map, rule, validated
from mcp_operator.api.client_capabilities import ClientCapability
from mcp_operator.api.v1alpha1.appearance import Icons
from mcp_operator.api.v1alpha1.backend import External, ServiceRef
from mcp_operator.api.v1alpha1.caching import Cache
from mcp_operator.api.v1alpha1.common import (
    ChildStatus,
    Description,
    Duration,
    HttpPath,
    Kind,
    McpName,
    Timestamp,
    Title,
)
from mcp_operator.api.v1alpha1.limits import RateLimit
from mcp_operator.api.v1alpha1.request import ToolRequest
from mcp_operator.api.v1alpha1.response import ToolResponse
from mcp_operator.api.v1alpha1.retries import Retries
from mcp_operator.api.v1alpha1.task import TaskOptions

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"]
JsonSchema = dict[str, Any]
MaxConcurrent = Annotated[int, Field(ge=1, le=10000)]

_IDEMPOTENT = "in ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']"
"""What RFC 9110 section 9.2.2 says of a method, in CEL."""

_READS = "in ['GET', 'HEAD']"
_KEEP = (
    "cache reuses an answer without a call, which is safe for GET and HEAD; for another method, "
    "set annotations.readOnlyHint to true if a call changes nothing"
)

_ASK_TWICE = (
    "retries may send a request twice, which is safe for GET, HEAD, OPTIONS, PUT and DELETE; "
    "for another method, set annotations.idempotentHint to true if two calls have the same "
    "effect as one"
)


class ToolAnnotations(ApiModel):
    """Hints to clients about what the tool does; clients show or obey them, nobody enforces."""

    model_config = validated(
        rule(
            "!(has(self.readOnlyHint) && self.readOnlyHint "
            "&& has(self.destructiveHint) && self.destructiveHint)",
            "a read-only tool cannot be destructive; set only one of readOnlyHint and "
            "destructiveHint to true",
            field_path=".destructiveHint",
        )
    )

    title: Title | None = None
    """Title for people."""
    read_only_hint: bool | None = None
    """The tool changes nothing."""
    destructive_hint: bool | None = None
    """The tool may destroy something."""
    idempotent_hint: bool | None = None
    """Calling twice with the same arguments has the same effect as calling once."""
    open_world_hint: bool | None = None
    """The tool reaches beyond what the server knows of, such as the Internet."""


class ToolDefinition(ApiModel):
    """One tool of the list form."""

    model_config = validated(
        rule(
            "has(self.path) || has(self.service) || has(self.external)",
            "set path for an endpoint of the common service, or set service or external",
            field_path=".path",
        ),
        rule(
            "!(has(self.service) && has(self.external))",
            "set only one of service and external",
            field_path=".external",
        ),
    )

    name: McpName
    """Name by which clients call the tool; unique in a server."""
    title: Title | None = None
    """Name for people."""
    description: Description = ""
    """What the tool does and when to use it, for the model to read."""
    icons: Icons = Field(default_factory=tuple)
    """Pictures that clients may show for the tool; those of the object when left out."""
    path: HttpPath | None = None
    """Absolute path on the service, instead of the service's own, or below external.url; {name}
    stands for an argument, {+name} for one of several segments."""
    service: ServiceRef | None = None
    """Service of this tool alone; that of the object when left out."""
    external: External | None = None
    """API outside of the cluster for this tool alone; that of the object when left out."""
    method: Method | None = None
    """HTTP method; that of the object when left out, else POST."""
    ingress_path: HttpPath | None = None
    """Accepted for compatibility and reported as IngressPathIgnored: tools are called over MCP."""
    input_schema: JsonSchema | None = None
    """JSON Schema 2020-12 of the arguments, of type object. When left out, the placeholders of the
    path and the names in request are arguments, all of type string, and there are no others."""
    output_schema: JsonSchema | None = None
    """JSON Schema 2020-12 of the structured result, of type object."""
    enabled: bool = True
    """Whether the tool is served."""
    annotations: ToolAnnotations | None = None
    """Hints to clients."""
    request: ToolRequest | None = None
    """How a call becomes an HTTP request; a field left out is that of the object."""
    response: ToolResponse | None = None
    """How the answer becomes the result; a field left out is that of the object."""
    timeout: Duration | None = None
    """Time for one call; that of the object when left out, else the server's requestTimeout."""
    retries: Retries | None = None
    """When a failed request is retried; the value of the object when left out."""
    task: TaskOptions | None = None
    """When a call becomes a task; the value of the object when left out."""
    rate_limit: RateLimit | None = None
    """Maximum rate of calls in each server, of all clients
    together; the value of the object when left out."""
    max_concurrent_requests: MaxConcurrent | None = None
    """Maximum number of concurrent calls in one pod; the value of the object when left out."""
    required_client_capabilities: tuple[ClientCapability, ...] = Field(
        default_factory=tuple, min_length=1, max_length=5, json_schema_extra=LIST_SET
    )
    """What a client must declare to call the tool; the value of the object when left out."""
    cache: Cache | None = None
    """How long an answer is reused for the same arguments; the value of
    the object when left out."""


class MCPToolSpec(ApiModel):
    """One tool (name), or several of one Service (tools)."""

    model_config = validated(
        rule(
            "has(self.name) || has(self.tools)",
            "set name to declare one tool, or tools to declare several",
            field_path=".name",
        ),
        rule(
            "has(self.service) || has(self.external) || (has(self.tools) "
            "&& self.tools.all(t, has(t.service) || has(t.external)))",
            "set service or external; with tools, you can set one on every entry instead",
            field_path=".service",
        ),
        rule(
            "!(has(self.service) && has(self.external))",
            "set only one of service and external",
            field_path=".external",
        ),
        rule(
            "!has(self.tools) || !(has(self.inputSchema) || has(self.outputSchema) "
            "|| has(self.annotations) || has(self.title) "
            "|| (has(self.request) && (has(self.request.arguments) || has(self.request.body))))",
            "title, inputSchema, outputSchema, annotations, request.arguments and request.body "
            "describe one tool; with tools, move them into its entries",
            field_path=".tools",
        ),
        rule(
            "!(has(self.method) && self.method == 'HEAD' && has(self.request) "
            "&& (has(self.request.body) || has(self.request.arguments) "
            "&& self.request.arguments.exists(a, a.__in__ == 'body')))",
            "HEAD has no body; map the argument to query, and remove request.body",
            field_path=".request",
        ),
        rule(
            "!has(self.tools) || self.tools.all(t, !((has(t.method) ? t.method : "
            "has(self.method) ? self.method : 'POST') == 'HEAD' && has(t.request) "
            "&& (has(t.request.body) || has(t.request.arguments) "
            "&& t.request.arguments.exists(a, a.__in__ == 'body'))))",
            "HEAD has no body; in that entry of tools, map the argument to query, and remove "
            "request.body",
            field_path=".tools",
        ),
        rule(
            "!has(self.retries) || has(self.tools) "
            f"|| (has(self.method) ? self.method : 'POST') {_IDEMPOTENT} "
            "|| (has(self.annotations) && has(self.annotations.idempotentHint) "
            "&& self.annotations.idempotentHint)",
            _ASK_TWICE,
            field_path=".retries",
        ),
        rule(
            "!has(self.tools) || self.tools.all(t, !(has(t.retries) || has(self.retries)) "
            "|| (has(t.method) ? t.method : has(self.method) ? self.method : 'POST') "
            f"{_IDEMPOTENT} || (has(t.annotations) && has(t.annotations.idempotentHint) "
            "&& t.annotations.idempotentHint))",
            f"in an entry of tools, {_ASK_TWICE}",
            field_path=".tools",
        ),
        rule(
            "!has(self.cache) || has(self.tools) "
            f"|| (has(self.method) ? self.method : 'POST') {_READS} "
            "|| (has(self.annotations) && has(self.annotations.readOnlyHint) "
            "&& self.annotations.readOnlyHint)",
            _KEEP,
            field_path=".cache",
        ),
        rule(
            "!has(self.tools) || self.tools.all(t, !(has(t.cache) || has(self.cache)) "
            "|| (has(t.method) ? t.method : has(self.method) ? self.method : 'POST') "
            f"{_READS} || (has(t.annotations) && has(t.annotations.readOnlyHint) "
            "&& t.annotations.readOnlyHint))",
            f"in an entry of tools, {_KEEP}",
            field_path=".tools",
        ),
    )

    name: McpName | None = None
    """Name by which clients call the tool; unique in a server. If
    tools is set, it only labels the object."""
    title: Title | None = None
    """Name for people."""
    description: Description = ""
    """What the tool does and when to use it, for the model to read.
    If tools is set, it only labels the object."""
    icons: Icons = Field(default_factory=tuple)
    """Pictures that clients may show for the tool; with tools, for each of them."""
    service: ServiceRef | None = None
    """Service that answers the calls."""
    external: External | None = None
    """API outside of the cluster that answers the calls, in place of service."""
    method: Method | None = None
    """HTTP method; POST when left out."""
    ingress_path: HttpPath | None = None
    """Accepted for compatibility and reported as IngressPathIgnored: tools are called over MCP."""
    input_schema: JsonSchema | None = None
    """JSON Schema 2020-12 of the arguments, of type object. When left out, the placeholders of the
    path and the names in request are arguments, all of type string, and there are no others."""
    output_schema: JsonSchema | None = None
    """JSON Schema 2020-12 of the structured result, of type object."""
    enabled: bool = True
    """Whether the tool is served, or any of tools."""
    annotations: ToolAnnotations | None = None
    """Hints to clients."""
    request: ToolRequest | None = None
    """How a call becomes an HTTP request."""
    response: ToolResponse | None = None
    """How the answer becomes the result."""
    timeout: Duration | None = None
    """Time for one call; the server's requestTimeout when left out."""
    retries: Retries | None = None
    """When a failed request is retried; never when left out."""
    task: TaskOptions | None = None
    """When a call becomes a task, which continues after the first
    response to the client; never when left out."""
    rate_limit: RateLimit | None = None
    """Maximum rate of calls in each server that serves the
    tool, of all clients together; with tools, of each of them. No limit of its own when left
    out."""
    max_concurrent_requests: MaxConcurrent | None = None
    """Maximum number of concurrent calls of
    the tool in one pod; with tools, of each of them. Further calls get HTTP status 429 and
    Retry-After. No limit of its own when left out."""
    required_client_capabilities: tuple[ClientCapability, ...] = Field(
        default_factory=tuple, min_length=1, max_length=5, json_schema_extra=LIST_SET
    )
    """What a client must declare to call the tool, because its service asks the user (Elicitation,
    ElicitationURL), the client's model (Sampling, SamplingTools) or the client (Roots). Other
    clients get an error, and the service is not called. Nothing when left out."""
    cache: Cache | None = None
    """How long an answer is reused for the same arguments and forwarded
    headers, without a request to the backend; with tools, for each of them. Errors are not cached.
    Nothing is cached when left out."""
    tools: tuple[ToolDefinition, ...] = Field(
        default_factory=tuple, min_length=1, max_length=128, json_schema_extra=list_map("name")
    )
    """Several tools of one Service; service, method, request, response, timeout, retries, cache,
    task, rateLimit, maxConcurrentRequests and requiredClientCapabilities of the object are the
    defaults of the entries."""

    @functools.cached_property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """The tools of either form, with everything inherited filled in.

        `path`, `method` and one of `service` and `external` are always set. As in the ancestor, the
        path of an entry replaces that of its service; to that of an external URL it is appended.
        """
        entries = self.tools or (self._single(),)
        return tuple(self._inherit(entry) for entry in entries)

    def _single(self) -> ToolDefinition:
        given = {name: getattr(self, name) for name in _SHARED & self.model_fields_set}
        return ToolDefinition.model_construct(**given)

    def _inherit(self, entry: ToolDefinition) -> ToolDefinition:
        own = entry.service is not None or entry.external is not None
        service = entry.service if own else self.service
        external = entry.external if own else self.external
        return entry.model_copy(
            update={
                "service": service,
                "external": external,
                "path": _path(service, external, entry.path),
                "method": entry.method or self.method or "POST",
                "enabled": entry.enabled and self.enabled,
                "icons": entry.icons or self.icons,
                "request": _merged(ToolRequest, self.request, entry.request),
                "response": _merged(ToolResponse, self.response, entry.response),
                "timeout": entry.timeout or self.timeout,
                "retries": entry.retries or self.retries,
                "task": entry.task or self.task,
                "rate_limit": entry.rate_limit or self.rate_limit,
                "max_concurrent_requests": entry.max_concurrent_requests
                or self.max_concurrent_requests,
                "required_client_capabilities": entry.required_client_capabilities
                or self.required_client_capabilities,
                "cache": entry.cache or self.cache,
            }
        )


def _path(service: ServiceRef | None, external: External | None, own: str | None) -> str:
    """Return a tool's own path instead of its Service's, or below that of its external URL."""
    if external is not None:
        return external.path.rstrip("/") + (own or "") or "/"
    return own or (service.path if service else "/")


_SHARED = ToolDefinition.model_fields.keys() & MCPToolSpec.model_fields.keys()
_Part = TypeVar("_Part", bound=ApiModel)


def _merged(part: type[_Part], common: _Part | None, own: _Part | None) -> _Part:
    """Return the fields that `own` sets, then those that `common` sets, then the defaults."""
    if common is None:
        return own or part()
    given = own.model_fields_set if own else ()
    return common.model_copy(update={name: getattr(own, name) for name in given})


class ToolDigest(ApiModel):
    """Definition of one tool, as clients get it."""

    name: str
    """Name of the tool."""
    digest: Annotated[str, Field(max_length=71)]
    """sha256: and the SHA-256 of its entry in tools/list of MCP 2026-07-28, as JSON with sorted
    keys and without spaces."""


class MCPToolStatus(ChildStatus):
    """What the operator knows of the tools."""

    ready: bool | None = None
    """Whether every server that selects the object serves all of it."""
    resolved_endpoint: str | None = None
    """URL of the Service that answers the calls."""
    tool_count: Annotated[int, Field(ge=0)] | None = None
    """Enabled tools of the object."""
    tool_names: tuple[str, ...] = Field(default_factory=tuple, max_length=128)
    """Names of the enabled tools."""
    tool_digests: tuple[ToolDigest, ...] = Field(default_factory=tuple, max_length=128)
    """Digest of the definition that clients get of each served tool. The Event
    ToolDefinitionChanged names a tool whose digest changes."""
    last_sync_time: Timestamp | None = None
    """When the outcome last changed."""


class MCPTool(Kind):
    """Tools backed by an HTTP Service, that MCPServers serve."""

    spec: MCPToolSpec
