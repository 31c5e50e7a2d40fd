"""The HTTPRoute that exposes a server through a Gateway of the Gateway API."""

from __future__ import annotations

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import HTTPROUTES
from mcp_operator.core.meta import Object


def build_http_route(server: MCPServer) -> Object | None:
    """Return the HTTPRoute, or nothing where the server does not ask for one."""
    wanted = server.spec.http_route
    if wanted is None:
        return None
    name = child_name(server.name)
    path = {"type": "PathPrefix", "value": wanted.path_prefix}
    spec: Object = {
        "parentRefs": [
            parent.model_dump(by_alias=True, exclude_none=True) for parent in wanted.parent_refs
        ],
        "rules": [
            {
                "matches": [{"path": path}],
                "backendRefs": [{"name": name, "port": server.spec.service.port}],
            }
        ],
    }
    if wanted.hostnames:
        spec["hostnames"] = list(wanted.hostnames)
    return {**child(server, HTTPROUTES, name), "spec": spec}
