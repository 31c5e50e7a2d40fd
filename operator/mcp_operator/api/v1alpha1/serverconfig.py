"""How the gateway of an MCPServer behaves: names, limits, pages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, rule, validated
from mcp_operator.api.v1alpha1.common import Duration


class Naming(ApiModel):
    """What happens when two selected objects use one name."""

    on_conflict: Literal["OldestWins", "RejectAll"] = "OldestWins"
    """OldestWins serves the object
    created first; RejectAll serves none of them. Both report it in the status of the objects that
    are not served."""


class ServerConfig(ApiModel):
    """Limits and behavior of the gateway; changes reach running pods without a restart."""

    model_config = validated(
        rule(
            "!has(self.maxConcurrentRequestsPerClient) "
            "|| self.maxConcurrentRequestsPerClient <= self.maxConcurrentRequests",
            "the limit of one client cannot be higher than that of all clients; lower it, or "
            "raise maxConcurrentRequests",
            field_path=".maxConcurrentRequestsPerClient",
        )
    )

    request_timeout: Duration = "30s"
    """Time for one call, unless the tool or resource sets its own, such as 30s or 1m30s."""
    max_concurrent_requests: Annotated[int, Field(ge=1, le=10000)] = 100
    """Maximum number of
    concurrent calls of one pod; further calls get HTTP status 503. While several clients call, one
    client can use half of it, and gets 429 beyond that."""
    max_concurrent_requests_per_client: Annotated[int, Field(ge=1, le=10000)] | None = None
    """Maximum number of concurrent calls of one client in one pod, even if it is the only client.
    Further calls get HTTP status 429. Limited only by maxConcurrentRequests when left out."""
    max_request_bytes: Annotated[int, Field(ge=1024, le=104857600)] = 4 * 1024 * 1024
    """Largest accepted MCP request, in bytes."""
    max_response_bytes: Annotated[int, Field(ge=1024, le=1073741824)] = 10 * 1024 * 1024
    """Largest answer read from a backend, in bytes."""
    drain_timeout: Duration = "30s"
    """Time that a stopping pod has to finish its calls. This is the only setting here whose change
    replaces the pods, because it sets their termination grace period."""
    page_size: Annotated[int, Field(ge=1, le=1000)] = 1000
    """Entries on one page of a list. Several clients read the first page only."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum level of the messages that the pods log."""
    instructions: Annotated[str, Field(max_length=8000)] = ""
    """Instructions for the model about the server as a whole."""
