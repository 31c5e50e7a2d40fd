"""Who may use the endpoint of an MCPServer from where, under which names, and for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, matching
from mcp_operator.api.v1alpha1.common import Duration
from mcp_operator.api.v1alpha1.exposure import HostName

ORIGIN_PATTERN = r"^([*]|https?://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?)$"
"""Scheme, host and port as browsers write them (RFC 6454, section 6.1), or any."""

Origin = Annotated[
    str,
    matching(
        ORIGIN_PATTERN,
        "write an origin in lower case, such as https://chat.example.com or http://localhost:6274, "
        "or * for any",
        max_length=300,
    ),
]


class Protocol(ApiModel):
    """Who may speak to the endpoint from a browser, under which names, and for how long."""

    allowed_origins: tuple[Origin, ...] = Field(
        default_factory=tuple, max_length=64, json_schema_extra=LIST_SET
    )
    """Origins of web pages that may use the endpoint, such as https://chat.example.com; * allows
    every one. Pages of the hosts of the Ingress and the HTTPRoute are always allowed. Programs
    do not send an origin, and need none."""
    allowed_hosts: tuple[HostName, ...] = Field(
        default_factory=tuple, max_length=64, json_schema_extra=LIST_SET
    )
    """Host names that clients can use for the endpoint, besides those of the Ingress, of the
    HTTPRoute and the full name of the Service (ending in .svc or .svc.cluster.local). With one of
    them, any other name is refused; when left out, every name is served."""
    session_ttl: Annotated[Duration, Field(alias="sessionTTL")] = Field(
        default_factory=lambda: "24h"
    )
    """How long a session of 2025-11-25 or before lasts, whether it is used or not; 24h when left
    out. Then its client gets 404 and opens another, as MCP requires. A shorter time also applies to
    open sessions. Clients of 2026-07-28 have no sessions."""
