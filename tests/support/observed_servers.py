"""The operator's view of a healthy server, with the changes of a test."""

from __future__ import annotations

from typing import Any

from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.assembly import Assembly, Rejection
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.controllers.confirmations import Confirmed
from mcp_operator.controllers.mcpserver_status import ObservedServer
from mcp_operator.core.meta import Key, Object
from support.entries import catalog, prompt, resource, tool
from support.servers import server

ACCEPTED, RESOLVED, PROGRAMMED, READY, DEGRADED = (
    ConditionType.ACCEPTED,
    ConditionType.RESOLVED_REFS,
    ConditionType.PROGRAMMED,
    ConditionType.READY,
    ConditionType.DEGRADED,
)
AVAILABLE: Object = {
    "spec": {"replicas": 2},
    "status": {
        "replicas": 2,
        "readyReplicas": 2,
        "conditions": [
            {"type": "Progressing", "status": "True"},
            {"type": "Available", "status": "True"},
        ],
    },
}
CONFIRMED = Confirmed(synced=2, missing={}, waited=0)


def rejection(name: str, *, resolved: bool = True, message: str = "why") -> Rejection:
    return Rejection(
        "MCPTool",
        Key("demo", name),
        Reason.INVALID_SCHEMA if resolved else Reason.SERVICE_NOT_FOUND,
        message,
        ACCEPTED if resolved else RESOLVED,
    )


def view(*rejected: Rejection, spec: dict[str, Any] | None = None, **facts: Any) -> ObservedServer:
    """Return the view of a healthy server, with the given changes."""
    entries = (tool(), prompt("Hello"), resource(uri="docs://a", text="x"))
    defaults: dict[str, Any] = {
        "server": server(**(spec or {})),
        "assembly": Assembly(catalog(*entries), (), rejected, frozenset()),
        "digest": "0123",
        "size": 500,
        "deployment": AVAILABLE,
        "ready_pods": 2,
        "failing": {},
        "confirmed": CONFIRMED,
        "facts": ClusterFacts(),
    }
    return ObservedServer(**defaults | facts)
