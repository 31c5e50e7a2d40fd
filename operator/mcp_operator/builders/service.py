"""The Service in front of a server's pods."""

from __future__ import annotations

from typing import Final

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.labels import selector_labels
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import SERVICES
from mcp_operator.core.meta import Object

HTTP_PORT_NAME: Final = "http"
"""The name of the MCP port in pods, in the Service and in the backend of the Ingress."""


def build_service(server: MCPServer) -> Object:
    """Return the Service. It does not have the management port, which is used on pods directly."""
    name = server.name
    wanted = server.spec.service
    service = child(server, SERVICES, child_name(name))
    if wanted.annotations:
        service["metadata"]["annotations"] = dict(wanted.annotations)
    protocol = {"appProtocol": "https"} if server.spec.tls is not None else {}
    service["spec"] = {
        "type": wanted.type,
        "selector": selector_labels(name),
        "ports": [
            {
                "name": HTTP_PORT_NAME,
                "port": wanted.port,
                "targetPort": HTTP_PORT_NAME,
                "protocol": "TCP",
                **protocol,
            }
        ],
    }
    return service
