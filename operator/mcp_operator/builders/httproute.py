"""The HTTPRoute that exposes a server through a Gateway of the Gateway API."""

from __future__ import annotations

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import HTTPROUTES, SERVICES
from mcp_operator.builders.urls import metadata_path
from mcp_operator.core.meta import Object


def build_http_route(server: MCPServer) -> Object | None:
    """Return the HTTPRoute, or None if the server does not ask for one.

    It contains the API server's defaults: the operator owns its lists as a whole, so a field that
    is missing here would count as drift.
    """
    wanted = server.spec.http_route
    if wanted is None:
        return None
    name = child_name(server.name)
    matches: list[Object] = [{"path": {"type": "PathPrefix", "value": wanted.path_prefix}}]
    if metadata := metadata_path(server, wanted.path_prefix):
        matches.append({"path": {"type": "Exact", "value": metadata}})
    service = {"kind": SERVICES.kind, "name": name, "port": server.spec.service.port, "weight": 1}
    spec: Object = {
        "parentRefs": [
            {"group": HTTPROUTES.group, "kind": "Gateway"}
            | parent.model_dump(by_alias=True, exclude_none=True)
            for parent in wanted.parent_refs
        ],
        "rules": [
            {
                "matches": matches,
                "backendRefs": [service],
            }
        ],
    }
    if wanted.hostnames:
        spec["hostnames"] = list(wanted.hostnames)
    return {**child(server, HTTPROUTES, name), "spec": spec}
