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
"""Names the data port on the pod, the Service and the Ingress's backend alike."""


def build_service(server: MCPServer) -> Object:
    """Return the Service; the management port is reached at pods, never through it."""
    name = server.name
    wanted = server.spec.service
    service = child(server, SERVICES, child_name(name))
    if wanted.annotations:
        service["metadata"]["annotations"] = dict(wanted.annotations)
    service["spec"] = {
        "type": wanted.type,
        "selector": selector_labels(name),
        "ports": [
            {
                "name": HTTP_PORT_NAME,
                "port": wanted.port,
                "targetPort": HTTP_PORT_NAME,
                "protocol": "TCP",
            }
        ],
    }
    return service
