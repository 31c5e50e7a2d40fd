"""The identity of a server's pods."""

from __future__ import annotations

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import SERVICEACCOUNTS
from mcp_operator.core.meta import Object


def build_service_account(server: MCPServer) -> Object:
    """Return the ServiceAccount. Pods get its token only if their own spec asks for it."""
    return {
        **child(server, SERVICEACCOUNTS, child_name(server.name)),
        "automountServiceAccountToken": False,
    }
