"""MCPResource: inline content, content of a ConfigMap or Secret, or HTTP-backed resources."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, list_map, matching, rule, validated
from mcp_operator.api.catalog import Style
from mcp_operator.api.v1alpha1.appearance import Icons
from mcp_operator.api.v1alpha1.backend import External, ServiceRef, TargetName
from mcp_operator.api.v1alpha1.caching import Cache
from mcp_operator.api.v1alpha1.common import (
    ChildStatus,
    ConfigMapKeyRef,
    Description,
    Duration,
    HttpPath,
    Kind,
    McpName,
    MimeType,
    SecretKeyRef,
    Timestamp,
    Title,
    Uri,
    VariableName,
)
from mcp_operator.api.v1alpha1.request import (
    EXPLODE_RULES,
    FORWARD_RULES,
    STYLE_RULES,
    RequestFields,
)
from mcp_operator.api.v1alpha1.response import ResponseFields

MAX_INLINE = 900_000
"""Characters of inline content; an object of more than 1.5 MiB is refused by etcd."""

Priority = Annotated[
    str,
    matching(
        r"^(0([.][0-9]{1,4})?|1([.]0{1,4})?)$",
        'write a number from 0 to 1 as text, such as "0.8"',
        max_length=8,
    ),
]


class ResourceAnnotations(ApiModel):
    """Hints to clients about the content."""

    audience: tuple[Literal["user", "assistant"], ...] = Field(
        default_factory=tuple, max_length=2, json_schema_extra=LIST_SET
    )
    """Whom the content is for."""
    priority: Priority | None = None
    """Importance from "0" to "1", written as text, such as "0.8"."""


class InlineContent(ApiModel):
    """Content written in the object itself."""

    model_config = validated(
        rule("has(self.text) != has(self.blob)", "set exactly one of text and blob")
    )

    uri: Uri
    """URI that clients read the resource by."""
    mime_type: MimeType = "text/plain"
    """Media type of the content."""
    text: Annotated[str, Field(max_length=MAX_INLINE)] | None = None
    """The content, as text."""
    blob: (
        Annotated[str, Field(max_length=MAX_INLINE, json_schema_extra={"format": "byte"})] | None
    ) = None
    """The content, as base64."""


class ContentSource(ApiModel):
    """Content that a ConfigMap or Secret holds."""

    model_config = validated(
        rule(
            "has(self.configMapKeyRef) != has(self.secretKeyRef)",
            "set exactly one of configMapKeyRef and secretKeyRef",
        )
    )

    uri: Uri
    """URI that clients read the resource by."""
    mime_type: MimeType = "text/plain"
    """Media type of the content."""
    config_map_key_ref: ConfigMapKeyRef | None = None
    """A key of a ConfigMap, of data or binaryData."""
    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret; the gateway reads it; it is never copied."""


class OperationParameter(ApiModel):
    """One variable of the resource template, and where its value goes in the request."""

    model_config = validated(
        rule(
            "!has(self.default) || !has(self.enum) || self.default in self.enum",
            "default must be one of enum",
            field_path=".default",
        ),
        *STYLE_RULES,
        *EXPLODE_RULES,
    )

    name: VariableName
    """Name of the variable."""
    location: Literal["path", "query", "header", "cookie", "body"] = Field(alias="in")
    """Part of the request that the value goes to."""
    target: Annotated[TargetName, Field(max_length=63)] | None = Field(default=None, alias="as")
    """Name there; that of the variable when left out."""
    style: Style | None = None
    """How the value is written outside of a JSON body, in OpenAPI's words, or json for JSON text;
    when left out: simple in the path and in headers, form elsewhere."""
    explode: bool | None = None
    """Whether each value of {?name*} is written on its own; when left out, true for form and false
    for the other styles."""
    allow_reserved: bool = False
    """Whether reserved characters stay as they are. In the path, the value may then hold slashes,
    which are sent encoded."""
    description: Description = ""
    """What the parameter is for."""
    required: bool = False
    """Whether a client must give a value, if there is no default; path parameters always are
    required."""
    default: Annotated[str, Field(max_length=1024)] | None = None
    """Value when the client gives none."""
    enum: tuple[Annotated[str, Field(max_length=1024)], ...] = Field(
        default_factory=tuple, min_length=1, max_length=100, json_schema_extra=LIST_SET
    )
    """Accepted values, offered to clients as completions; any value when left out."""


class Subscribe(ApiModel):
    """How changes of content are found."""

    interval: Duration
    """Pause between two reads of the content, of 1s or more, while a client is subscribed to it.
    Reads of unchanged content are cheap if the service sends ETag or Last-Modified."""


class ResourceEndpoint(ApiModel):
    """Where content is read, and what clients read it by."""

    method: Literal["GET"] = "GET"
    """HTTP method; reading a resource changes nothing, so GET alone."""
    ingress_path: HttpPath | None = None
    """Without uri and uriTemplate, the URI is mcp://NAMESPACE/NAME followed by this path and the
    query parameters. No path is opened on the Ingress, which is reported as IngressPathIgnored."""
    name: McpName | None = None
    """Name that clients see; that of the object when left out."""
    title: Title | None = None
    """Name for people."""
    service: ServiceRef | None = None
    """Service that holds the content."""
    external: External | None = None
    """API outside of the cluster that holds the content, in place of service."""
    uri: Uri | None = None
    """URI that clients read the resource by."""
    uri_template: Uri | None = None
    """RFC 6570 template of the URIs that clients read, such as docs://{section}, or
    files://{+path} for a value with slashes, or docs://all{?tag*} for several values of tag."""
    parameters: tuple[OperationParameter, ...] = Field(
        default_factory=tuple, max_length=16, json_schema_extra=list_map("name")
    )
    """Variables of the template; a {name} in the path that is not listed is required."""
    timeout: Duration | None = None
    """Time for one read; the server's requestTimeout when left out."""
    cache: Cache | None = None
    """How long content is reused without a request to the backend; not cached when left out."""
    subscribe: Subscribe | None = None
    """How subscribed clients are notified when the content
    changes. Without it, they are notified of changes to this object only."""

    @property
    def path(self) -> str:
        """The path of the request, with its places."""
        if self.external is not None:
            return self.external.path
        return self.service.path if self.service else "/"


class ResourceOperation(ResponseFields, RequestFields, ResourceEndpoint):
    """One HTTP endpoint as a resource, or as a resource template when its URI has variables.

    Requests and answers are described as those of tools, with parameters for the arguments. An
    error is one of the read.
    """

    model_config = validated(
        rule(
            "!(has(self.uri) && has(self.uriTemplate))",
            "set only one of uri and uriTemplate",
            field_path=".uriTemplate",
        ),
        rule(
            "has(self.uri) || has(self.uriTemplate) || has(self.ingressPath)",
            "set uri, uriTemplate or ingressPath: clients read the resource by it",
            field_path=".uri",
        ),
        rule(
            "!has(self.parameters) || !has(self.service) || self.parameters.all(p, "
            "p.__in__ != 'path' || has(self.service.path) && self.service.path.contains("
            "(has(p.__as__) ? p.__as__ : p.name) + '}'))",
            "every parameter with in: path needs its {name} in service.path; add it there",
            field_path=".parameters",
        ),
        rule(
            "has(self.service) != has(self.external)",
            "set exactly one of service and external",
            field_path=".service",
        ),
        rule(
            "!(has(self.cache) && has(self.subscribe))",
            "set only one of cache and subscribe: a client that reads the content after a "
            "notification must not get an older answer",
            field_path=".cache",
        ),
        rule(
            "!has(self.uri) || !self.uri.contains('{')",
            "uri has no variables; use uriTemplate for a URI with {name}",
            field_path=".uri",
        ),
        *FORWARD_RULES,
    )


class MCPResourceSpec(ApiModel):
    """The resource: inline, from a ConfigMap or Secret, or over HTTP."""

    model_config = validated(
        rule(
            "[has(self.content), has(self.contentFrom), has(self.operations)]"
            ".filter(given, given).size() == 1",
            "set exactly one of content, contentFrom and operations",
        )
    )

    name: McpName
    """Name that clients see; the URI identifies a resource, and each URI occurs once
    in a server."""
    title: Title | None = None
    """Name for people."""
    description: Description = ""
    """What the resource holds, for people and models."""
    icons: Icons = Field(default_factory=tuple)
    """Pictures that clients may show for the resource; with operations, for each of them."""
    enabled: bool = True
    """Whether the resource is served."""
    annotations: ResourceAnnotations | None = None
    """Hints to clients."""
    content: InlineContent | None = None
    """Content written here."""
    content_from: ContentSource | None = None
    """Content of a ConfigMap or Secret."""
    operations: tuple[ResourceOperation, ...] = Field(
        default_factory=tuple, min_length=1, max_length=32
    )
    """HTTP endpoints, each a resource or a resource template."""


class MCPResourceStatus(ChildStatus):
    """What the operator knows of the resource."""

    ready: bool | None = None
    """Whether every server that selects the object serves it."""
    operation_count: Annotated[int, Field(ge=0)] | None = None
    """Operations declared."""
    last_sync_time: Timestamp | None = None
    """When the outcome last changed."""
    uris: tuple[str, ...] = Field(default_factory=tuple, max_length=32)
    """URIs and URI templates that clients read."""
    size_bytes: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = None
    """Size of the content, where it is known without a request."""


class MCPResource(Kind):
    """A resource that MCPServers serve."""

    spec: MCPResourceSpec
