"""What an MCPServer's status says of it: pure decisions on gathered facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mcp_operator.api.conditions import MESSAGE_LIMIT, Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.versions import PROTOCOL_VERSIONS
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.labels import selector_labels
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import HTTPROUTES
from mcp_operator.controllers.confirmations import Confirmed
from mcp_operator.core.meta import Object

LISTED_REJECTIONS = 100
"""Rejections listed in a status, as its schema allows; `rejectedCount` tells their number."""

NAMED_PODS = 5
"""Pods that a message names; a server may have 200."""


@dataclass(frozen=True, slots=True)
class ObservedServer:
    """Everything that the status of one server is decided from.

    Attributes:
        server: The server.
        assembly: Its catalog and what was left out of it.
        digest: The catalog's name.
        size: The catalog's bytes, uncompressed.
        deployment: Its Deployment as cached; None before it exists.
        ready_pods: How many of its pods are ready.
        failing: The names of pods that will not become ready by themselves, each with why.
        confirmed: What those pods said; None in mode Direct, where nobody is asked.
        facts: What the cluster has around it.
        problem: Why the children could not be brought up to date, if so.
    """

    server: MCPServer
    assembly: Assembly
    digest: str
    size: int
    deployment: Object | None
    ready_pods: int
    failing: Mapping[str, str]
    confirmed: Confirmed | None
    facts: ClusterFacts
    problem: Condition | None = None


def server_conditions(view: ObservedServer) -> list[Condition]:
    """Decide the five conditions of a server."""
    accepted = _accepted(view)
    programmed = _programmed(view)
    return [
        accepted,
        _resolved(view),
        programmed,
        _ready(accepted, programmed, _available(view)),
        _degraded(view),
    ]


def server_fields(view: ObservedServer) -> Object:
    """Return the status fields besides conditions and times."""
    catalog = view.assembly.catalog
    deployed = (view.deployment or {}).get("status") or {}
    rejected = view.assembly.rejected
    return {
        "mode": view.server.spec.effective_mode,
        "replicas": deployed.get("replicas", 0),
        "readyReplicas": deployed.get("readyReplicas", 0),
        "syncedReplicas": view.confirmed.synced if view.confirmed else None,
        "selector": ",".join(f"{k}={v}" for k, v in selector_labels(view.server.name).items()),
        "toolCount": len(catalog.tools),
        "promptCount": len(catalog.prompts),
        "resourceCount": len(catalog.resources),
        "configHash": view.digest,
        "configBytes": view.size,
        "url": _external_url(view.server) or _internal_url(view.server),
        "internalURL": _internal_url(view.server),
        "protocolVersions": list(PROTOCOL_VERSIONS)
        if view.server.spec.effective_mode == "Gateway"
        else None,
        "rejected": [
            {
                "kind": rejection.kind,
                "namespace": rejection.key.namespace,
                "name": rejection.key.name,
                "reason": str(rejection.reason),
                "message": rejection.message[:MESSAGE_LIMIT],
            }
            for rejection in rejected[:LISTED_REJECTIONS]
        ],
        "rejectedCount": len(rejected),
    }


def lacks_gateway_api(view: ObservedServer) -> bool:
    """Tell whether the server asks for an HTTPRoute where there are none."""
    return view.server.spec.http_route is not None and not view.facts.has_gateway_api


def _wanted(view: ObservedServer) -> int:
    """Return how many pods there should be: as the spec says, or as an autoscaler decided."""
    fixed = view.server.spec.fixed_replicas
    if fixed is not None:
        return fixed
    deployed = (view.deployment or {}).get("spec") or {}
    return int(deployed.get("replicas", 1))  # what the API server makes of none


def _no(type_: ConditionType, reason: Reason, message: str = "") -> Condition:
    return Condition(type_, status=False, reason=reason, message=message)


def _yes(type_: ConditionType, reason: Reason, message: str = "") -> Condition:
    return Condition(type_, status=True, reason=reason, message=message)


def _accepted(view: ObservedServer) -> Condition:
    if view.problem is not None and view.problem.type is ConditionType.ACCEPTED:
        return view.problem
    if view.server.spec.redis is not None and view.server.spec.effective_mode == "Gateway":
        return _yes(
            ConditionType.ACCEPTED,
            Reason.REDIS_NOT_USED,
            "spec.redis has no effect in mode Gateway, which keeps nothing in Redis",
        )
    if view.facts.without_selector and not view.server.spec.network_policy.extra_egress:
        services = _listed(map(str, view.facts.without_selector))
        return _yes(
            ConditionType.ACCEPTED,
            Reason.EGRESS_INCOMPLETE,
            f"the NetworkPolicy closes the way to Services without a selector: {services}; "
            "add their addresses to spec.networkPolicy.extraEgress",
        )
    return _yes(ConditionType.ACCEPTED, Reason.ACCEPTED)


def _resolved(view: ObservedServer) -> Condition:
    if lacks_gateway_api(view):
        return _no(
            ConditionType.RESOLVED_REFS,
            Reason.GATEWAY_API_MISSING,
            "spec.httpRoute has no effect: the cluster does not serve HTTPRoute of "
            f"{HTTPROUTES.api_version}; install the Gateway API, or use spec.ingress",
        )
    unresolved = [
        f"{rejection.kind} {rejection.key.name}"
        for rejection in view.assembly.rejected
        if rejection.condition is ConditionType.RESOLVED_REFS
    ]
    if not unresolved:
        return _yes(ConditionType.RESOLVED_REFS, Reason.RESOLVED_REFS)
    message = f"not wholly served, because of what they refer to: {_listed(unresolved)}"
    return _no(ConditionType.RESOLVED_REFS, Reason.OBJECTS_UNRESOLVED, message)


def _programmed(view: ObservedServer) -> Condition:
    type_ = ConditionType.PROGRAMMED
    if view.problem is not None:
        return (
            view.problem
            if view.problem.type is type_
            else _no(type_, Reason.NOT_ACCEPTED, view.problem.message)
        )
    if _wanted(view) == 0:
        return _no(type_, Reason.SCALED_TO_ZERO)
    if view.confirmed is None:
        return _yes(type_, Reason.MOUNTED)
    if view.ready_pods == 0:
        return _no(type_, Reason.NO_READY_PODS, _said_of(view.failing))
    if view.confirmed.missing:
        said = [f"{pod} {answer}" for pod, answer in sorted(view.confirmed.missing.items())]
        return _no(
            type_,
            Reason.PROPAGATING,
            f"{len(said)} of {view.ready_pods} ready pods have not confirmed: {_listed(said)}",
        )
    return _yes(type_, Reason.PROGRAMMED, f"confirmed by every ready pod: {view.confirmed.synced}")


def _available(view: ObservedServer) -> Condition:
    wanted = _wanted(view)
    if wanted == 0:
        return _no(ConditionType.READY, Reason.SCALED_TO_ZERO)
    status = (view.deployment or {}).get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "Available" and condition["status"] == "True":
            return _yes(ConditionType.READY, Reason.READY)
    return _no(
        ConditionType.READY,
        Reason.UNAVAILABLE,
        "; ".join(
            filter(
                None,
                (
                    f"{status.get('availableReplicas', 0)} of {wanted} pods are available",
                    _said_of(view.failing),
                ),
            )
        ),
    )


def _ready(*causes: Condition) -> Condition:
    for cause in causes:
        if not cause.status:
            return _no(ConditionType.READY, cause.reason, cause.message)
    return _yes(ConditionType.READY, Reason.READY)


def _degraded(view: ObservedServer) -> Condition:
    rejected = [f"{r.kind} {r.key.name} ({r.reason})" for r in view.assembly.rejected]
    unserved = f"not wholly served: {_listed(rejected)}" if rejected else ""
    if view.failing:
        message = "; ".join(filter(None, (_said_of(view.failing), unserved)))
        return _yes(ConditionType.DEGRADED, Reason.PODS_FAILING, message)
    if rejected:
        return _yes(ConditionType.DEGRADED, Reason.OBJECTS_REJECTED, unserved)
    return _no(ConditionType.DEGRADED, Reason.HEALTHY)


def _said_of(pods: Mapping[str, str]) -> str:
    return _listed(f"pod {name} {why}" for name, why in pods.items())


def _listed(items: Iterable[str]) -> str:
    every = list(items)
    rest = len(every) - NAMED_PODS
    return ", ".join(every[:NAMED_PODS]) + (f" and {rest} more" if rest > 0 else "")


def _external_url(server: MCPServer) -> str | None:
    ingress = server.spec.ingress
    if ingress is None or ingress.host is None or ingress.host.startswith("*"):
        return None
    scheme = "https" if ingress.tls_secret_name else "http"
    return f"{scheme}://{ingress.host}{ingress.path_prefix}"


def _internal_url(server: MCPServer) -> str:
    service = f"{child_name(server.name)}.{server.namespace}.svc"
    return f"http://{service}:{server.spec.service.port}/mcp"
