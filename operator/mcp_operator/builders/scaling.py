"""The HorizontalPodAutoscaler and the PodDisruptionBudget of a server."""

from __future__ import annotations

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.labels import selector_labels
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import AUTOSCALERS, DEPLOYMENTS, DISRUPTION_BUDGETS
from mcp_operator.core.meta import Object


def build_autoscaler(server: MCPServer) -> Object | None:
    """Return the HorizontalPodAutoscaler, or None if the server does not ask for one.

    It scales the Deployment, not the MCPServer, because the user owns the MCPServer's spec and may
    keep it in Git.
    """
    wanted = server.spec.autoscaling
    if wanted is None:
        return None
    name = child_name(server.name)
    target = {"type": "Utilization", "averageUtilization": wanted.target_cpu_utilization_percentage}
    spec: Object = {
        "scaleTargetRef": {
            "apiVersion": DEPLOYMENTS.api_version,
            "kind": DEPLOYMENTS.kind,
            "name": name,
        },
        "minReplicas": wanted.min_replicas,
        "maxReplicas": wanted.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    if wanted.behavior is not None:
        behavior = wanted.behavior.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
        )
        if given := {direction: rules for direction, rules in behavior.items() if rules}:
            spec["behavior"] = given
    return {**child(server, AUTOSCALERS, name), "spec": spec}


def build_disruption_budget(server: MCPServer) -> Object | None:
    """Return the PodDisruptionBudget, or None if it is disabled.

    A server with at most one pod gets none either: it would only block `kubectl drain`.
    """
    wanted = server.spec.pod_disruption_budget
    if not wanted.enabled or server.spec.max_replicas <= 1:
        return None
    spec: Object = {
        "selector": {"matchLabels": selector_labels(server.name)},
        # A pod that is not ready must not keep a node from being drained (KEP-3017).
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        # Only one of the two can be set, so null removes a value that others have set.
        "minAvailable": wanted.min_available,
        "maxUnavailable": wanted.max_unavailable,
    }
    if wanted.min_available is None and wanted.max_unavailable is None:
        spec["maxUnavailable"] = 1
    return {**child(server, DISRUPTION_BUDGETS, child_name(server.name)), "spec": spec}
