"""What an MCPServer says of a server of one's own, in mode Direct."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel


class Direct(ApiModel):
    """What your own server does with the catalog that is mounted into its pods."""

    # Not persisted: what is left out here is left out of the pods, too.
    reports_catalog: bool = Field(default_factory=lambda: False)
    """Whether the pods answer GET /catalog on port 8081 with {"digest": "..."}, the digest of
    catalog.json that they serve, over HTTP. Programmed and syncedReplicas then say which pods serve
    the current catalog; otherwise Programmed is Unknown."""
    on_change: Literal["Reload", "Restart"] = Field(default_factory=lambda: "Reload")
    """What
    happens to the pods when the catalog changes. Reload, the default: the kubelet updates the files
    within about a minute, and your server reads them again. Restart: the pods are replaced, for a
    server that reads the files only when it starts."""
