"""How an HTTP answer becomes the result of a tool's call, or the content of a resource."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, matching, rule, validated
from mcp_operator.api.catalog import SHOWN_HEADERS
from mcp_operator.api.v1alpha1.common import HEADER_FIELD, Duration, MimeType

ErrorStatus = Annotated[
    str,
    matching(
        r"^([1-5]([0-9]{2}|xx))(,[1-5]([0-9]{2}|xx))*$",
        "list HTTP statuses or classes, separated by commas, such as 4xx,5xx,302",
        max_length=128,
    ),
]
JsonPath = Annotated[
    str,
    matching(
        r"^\$",
        "write a JSON path from the root $, such as $.items[*].name",
        max_length=1024,
    ),
]
"""A query of RFC 9535, which the operator compiles."""

ShownHeader = Annotated[
    str,
    matching(
        HEADER_FIELD,
        "write the name of an HTTP header, such as X-Request-Id",
        rule(
            "!self.matches('^(?i:authorization|proxy-authorization|set-cookie2?"
            "|(proxy-)?authentication-info)$')",
            "this header carries credentials, which no model may read; name another header",
        ),
        max_length=128,
    ),
]


class ResponseStream(ApiModel):
    """Where reading an answer ends that may have no end; what came until then is the result.

    Without it, streams of events and of JSON lines end shortly before the call's time does.
    """

    model_config = validated(
        rule("has(self.maxEvents) || has(self.maxDuration)", "set maxEvents, maxDuration or both")
    )

    max_events: Annotated[int, Field(ge=1, le=100000)] | None = None
    """Events of text/event-stream, or lines of anything else; any number when left out."""
    max_duration: Duration | None = None
    """Time for reading, such as 5s; until shortly before the timeout when left out."""


class ResponseFields(ApiModel):
    """What tools and the operations of resources say of their answers."""

    json_path: JsonPath | None = None
    """Part of a JSON body to return (RFC 9535), such as $.items[0].name or $.items[*].name: one
    value, or a list where the path may find several; all of it when left out."""
    jmes_path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """JMESPath that
    selects and renames parts of a JSON body, or of the part that jsonPath selected, such as
    items[*].{id: id, name: metadata.name}."""
    mime_type: MimeType | None = None
    """Media type of the content, with its charset where it has one, in place of what the backend
    says; that of the answer when left out."""
    max_bytes: Annotated[int, Field(ge=1, le=1073741824)] | None = None
    """Largest answer in bytes; the server's maxResponseBytes when left out."""
    error_status: ErrorStatus = Field(default_factory=lambda: "4xx,5xx")
    """HTTP statuses that make the answer an error; 4xx,5xx when left out."""
    error_when: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """CEL condition over status, headers (names in lower case) and body that makes the answer an
    error whatever its status, such as !body.ok or has(body.errors). If it cannot be evaluated,
    because the answer lacks a field, it is false."""
    follow_redirects: Literal["SameService", "Never"] = Field(default_factory=lambda: "SameService")
    """Which redirects of GET and HEAD are followed: those to the scheme, host and port of the call,
    five at most, or none. SameService when left out."""
    stream: ResponseStream | None = None
    """When the gateway stops reading an endless answer."""


class ToolResponse(ResponseFields):
    """How an HTTP answer becomes the result of the call.

    An error is a result that the model reads and can act on.
    """

    native: bool = Field(default_factory=lambda: False)
    """Whether the backend may answer in MCP's own terms: results of the type
    application/vnd.mcp.result+json, and event streams with the events progress, log and result. It
    gets the capabilities and the responses of the client. False when left out."""
    structured: Literal["Auto", "Always", "Never"] = Field(default_factory=lambda: "Auto")
    """Whether structuredContent is returned too; Auto does so for JSON objects and for tools with
    an outputSchema. Auto when left out."""
    headers: tuple[ShownHeader, ...] = Field(
        default_factory=lambda: SHOWN_HEADERS, max_length=32, json_schema_extra=LIST_SET
    )
    """Headers of the answer that are shown beside its content; Location, Link, Retry-After, ETag
    and X-Total-Count when left out."""
