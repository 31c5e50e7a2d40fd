"""What the operator says of an MCPServer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel
from mcp_operator.api.v1alpha1.common import Conditions, ObservedGeneration, Timestamp


class Rejection(ApiModel):
    """A selected object that is not served, or not wholly."""

    kind: Literal["MCPTool", "MCPPrompt", "MCPResource"]
    """Kind of the object."""
    namespace: str
    """Namespace of the object."""
    name: str
    """Name of the object."""
    reason: str
    """Reason, in one CamelCase word."""
    message: Annotated[str, Field(max_length=1024)]
    """Message for people."""


Count = Annotated[int, Field(ge=0)]


class MCPServerStatus(ApiModel):
    """What the operator knows of the endpoint."""

    observed_generation: ObservedGeneration | None = None
    """The metadata.generation that this status describes; -1 before an operator has seen it."""
    mode: Literal["Gateway", "Direct"] | None = None
    """The mode in effect."""
    replicas: Count | None = None
    """Pods that exist."""
    ready_replicas: Count | None = None
    """Pods that are ready."""
    synced_replicas: Count | None = None
    """Ready pods that confirmed serving the current catalog."""
    selector: str | None = None
    """Label selector of the pods, for the scale subresource."""
    tool_count: Count | None = None
    """Tools served."""
    prompt_count: Count | None = None
    """Prompts served."""
    resource_count: Count | None = None
    """Resources and resource templates served."""
    operator: str | None = None
    """The installation of the operator that runs the server: its Lease, as NAMESPACE/NAME."""
    config_hash: str | None = None
    """SHA-256 of the current catalog."""
    config_bytes: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = None
    """Size of the current catalog, uncompressed."""
    last_sync_time: Timestamp | None = None
    """When the catalog last changed."""
    url: str | None = None
    """URL of the endpoint: through the Ingress if that has a host, else inside the cluster."""
    internal_url: Annotated[str | None, Field(alias="internalURL")] = None
    """URL inside the cluster."""
    protocol_versions: tuple[str, ...] = Field(default_factory=tuple, max_length=16)
    """MCP protocol versions that the endpoint speaks."""
    rejected: tuple[Rejection, ...] = Field(default_factory=tuple, max_length=100)
    """Selected objects that are not served, or only in part; at most 100 are listed."""
    rejected_count: Count | None = None
    """Number of selected objects that are not served, or only in part."""
    conditions: Conditions = Field(default_factory=tuple)
    """Accepted, ResolvedRefs, Programmed, Ready as their summary, and Degraded."""
