"""Computes the status of an MCPServer with pure functions of the observed state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.api.conditions import Condition, ConditionType, is_true
from mcp_operator.api.hosts import is_service_host
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.versions import PROTOCOL_VERSIONS
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.compile_auth import not_authenticated
from mcp_operator.builders.compile_redis import redis_service
from mcp_operator.builders.compiled import Finding
from mcp_operator.builders.direct import MAX_FILES_BYTES
from mcp_operator.builders.labels import selector_labels
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import HTTPROUTES
from mcp_operator.builders.urls import ingress_url
from mcp_operator.controllers.confirmations import Confirmed
from mcp_operator.controllers.confirmed_objects import ObjectRef
from mcp_operator.controllers.pods import refused_pods
from mcp_operator.controllers.rejections import rejection_fields
from mcp_operator.core.meta import Object

LISTED_ITEMS = 5
"""How many pods or objects a message names; a server may have 200 pods."""


@dataclass(frozen=True, slots=True)
class ObservedServer:
    """Everything that the status of a server is computed from.

    Attributes:
        server: The server.
        assembly: Its catalog and what was left out of it.
        digest: The digest of the catalog.
        size: The size of the catalog in bytes, uncompressed.
        deployment: The Deployment as cached; None before it exists.
        ready_pods: How many of the pods are ready.
        failing: The pods that will not become ready without a change, by name, each with the cause.
        missing_kinds: The kinds of catalog objects that the API server no longer knows.
        not_permitted: The objects of other namespaces that it would serve if these consented.
        unseen: Says that it selects from namespaces that the operator cannot see; empty if not.
        confirmed: What the ready pods serve; None in mode Direct, unless they report it.
        facts: What the children depend on besides the spec and the catalog.
        problem: The condition that says why the children could not be applied, if any.
        no_key: Why there is no Secret with the gateway's key; empty if there is one.
        account: Why the pods must not run as the chosen ServiceAccount; None if they can.
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
    no_key: str = ""
    account: Finding | None = None
    missing_kinds: Sequence[str] = ()
    not_permitted: Sequence[ObjectRef] = ()
    unseen: str = ""

    @property
    def serves_nothing(self) -> bool:
        """Whether there are objects to serve, but none of them is served."""
        catalog = self.assembly.catalog
        served = catalog.tools or catalog.prompts or catalog.resources
        missing = self.assembly.rejected or self.missing_kinds or self.not_permitted
        return not served and bool(missing)


def server_conditions(observed: ObservedServer) -> list[Condition]:
    """Return the five conditions of a server."""
    accepted = _accepted(observed)
    resolved = _resolved(observed)
    programmed = _programmed(observed)
    return [
        accepted,
        resolved,
        programmed,
        _ready(observed, accepted, resolved, programmed),
        _degraded(observed),
    ]


def server_fields(observed: ObservedServer) -> Object:
    """Return the status fields besides conditions and times."""
    catalog = observed.assembly.catalog
    deployed = (observed.deployment or {}).get("status") or {}
    return {
        "mode": observed.server.spec.effective_mode,
        "replicas": deployed.get("replicas", 0),
        "readyReplicas": deployed.get("readyReplicas", 0),
        "syncedReplicas": observed.confirmed.synced if observed.confirmed else None,
        "selector": ",".join(f"{k}={v}" for k, v in selector_labels(observed.server.name).items()),
        "toolCount": len(catalog.tools),
        "promptCount": len(catalog.prompts),
        "resourceCount": len(catalog.resources),
        "configHash": observed.digest,
        "configBytes": observed.size,
        "url": ingress_url(observed.server) or _internal_url(observed.server),
        "internalURL": _internal_url(observed.server),
        "protocolVersions": list(PROTOCOL_VERSIONS)
        if observed.server.spec.effective_mode == "Gateway"
        else None,
        **rejection_fields(
            observed.assembly.rejected, observed.not_permitted, observed.server.namespace
        ),
    }


def lacks_gateway_api(observed: ObservedServer) -> bool:
    """Return whether the server asks for an HTTPRoute in a cluster without the Gateway API."""
    return observed.server.spec.http_route is not None and not observed.facts.has_gateway_api


def needs_another_look(observed: ObservedServer) -> bool:
    """Return whether there is a problem that can be solved without an event."""
    confirmed = observed.confirmed
    unconfirmed = confirmed is not None and bool(confirmed.missing or confirmed.lacking)
    wrong = observed.problem is not None or bool(observed.no_key)
    return wrong or unconfirmed or lacks_gateway_api(observed)


def catalog_too_large(size: int) -> Condition:
    """Return the condition of a server in mode Direct whose files do not fit.

    Args:
        size: The size of the files in a ConfigMap, in bytes.
    """
    return _no(
        ConditionType.ACCEPTED,
        Reason.CATALOG_TOO_LARGE,
        f"in mode Direct, the catalog is one ConfigMap of at most {MAX_FILES_BYTES} bytes, but "
        f"this one takes {size}: select fewer objects, or use mode Gateway. The last catalog "
        "that fitted is still served",
    )


def invalid_conditions(finding: Finding) -> list[Condition]:
    """Return the conditions of a server whose spec cannot be read; its pods keep running."""
    return [
        _no(ConditionType.ACCEPTED, finding.reason, finding.message),
        _no(ConditionType.PROGRAMMED, Reason.NOT_ACCEPTED, finding.message),
        _no(ConditionType.READY, finding.reason, finding.message),
    ]


def _desired_replicas(observed: ObservedServer) -> int:
    """Return the requested number of pods, which the spec or an autoscaler sets."""
    fixed = observed.server.spec.fixed_replicas
    if fixed is not None:
        return fixed
    deployed = (observed.deployment or {}).get("spec") or {}
    return int(deployed.get("replicas", 1))  # the API server's default


def _no(type_: ConditionType, reason: Reason, message: str = "") -> Condition:
    return Condition(type_, status=False, reason=reason, message=message)


def _yes(type_: ConditionType, reason: Reason, message: str = "") -> Condition:
    return Condition(type_, status=True, reason=reason, message=message)


def _accepted(observed: ObservedServer) -> Condition:
    if observed.problem is not None and observed.problem.type is ConditionType.ACCEPTED:
        return observed.problem
    if blocked := _blocked(observed):
        return _yes(
            ConditionType.ACCEPTED,
            Reason.EGRESS_INCOMPLETE,
            f"the NetworkPolicy blocks traffic to {blocked}; "
            "add their addresses to spec.networkPolicy.extraEgress",
        )
    return _yes(ConditionType.ACCEPTED, Reason.ACCEPTED, observed.unseen)


def _blocked(observed: ObservedServer) -> str:
    """Return the destinations that the NetworkPolicy blocks, as far as they are known."""
    policy, redis = observed.server.spec.network_policy, observed.assembly.catalog.server.redis
    if policy.extra_egress:
        return ""
    if observed.facts.without_selector:
        return f"Services without a selector: {_listed(map(str, observed.facts.without_selector))}"
    told = observed.server.spec.redis if observed.server.spec.effective_mode == "Direct" else None
    if policy.mode != "Full" or (redis is None and told is None):
        return ""
    if redis is not None and redis.master_name:
        return "the Redis servers behind the Sentinels"
    known = is_service_host(redis.host) if redis else redis_service(observed.server) is not None
    return "" if known else "the Redis servers behind spec.redis.address"


def _resolved(observed: ObservedServer) -> Condition:
    if observed.account is not None:
        found = observed.account
        return _no(ConditionType.RESOLVED_REFS, found.reason, found.message)
    if lacks_gateway_api(observed):
        return _no(
            ConditionType.RESOLVED_REFS,
            Reason.GATEWAY_API_MISSING,
            "spec.httpRoute has no effect: the cluster does not serve HTTPRoute of "
            f"{HTTPROUTES.api_version}; install the Gateway API, or use spec.ingress",
        )
    finding, certificate = observed.assembly.finding, observed.assembly.certificate
    wrong = []
    if finding is not None:
        wrong.append((finding, f"{not_authenticated(finding)}: {finding.message}"))
    if certificate is not None:
        effect = "new pods wait for their certificate"
        wrong.append((certificate, f"{effect}: {certificate.message}"))
    if (no_redis := observed.assembly.redis_finding) is not None:
        effect = _WITHOUT_REDIS[_failure_mode(observed)]
        wrong.append((no_redis, f"{effect}: {no_redis.message}"))
    if wrong:
        message = "; ".join(message for _, message in wrong)
        return _no(ConditionType.RESOLVED_REFS, wrong[0][0].reason, message)
    unresolved = [
        f"{rejection.kind} {rejection.key.name}"
        for rejection in observed.assembly.rejected
        if rejection.condition is ConditionType.RESOLVED_REFS
    ]
    if not unresolved:
        return _yes(ConditionType.RESOLVED_REFS, Reason.RESOLVED_REFS)
    message = f"not fully served, because of unresolved references: {_listed(unresolved)}"
    return _no(ConditionType.RESOLVED_REFS, Reason.OBJECTS_UNRESOLVED, message)


_WITHOUT_REDIS: Final[Mapping[str, str]] = {
    "Open": "pods cannot use Redis, so each pod counts its own calls, and they share nothing",
    "Closed": "pods cannot use Redis, so they reject calls that have a limit, and share nothing",
}


def _failure_mode(observed: ObservedServer) -> str:
    redis = observed.assembly.catalog.server.redis
    return redis.failure_mode if redis else "Open"


_NOT_REPORTED: Final = (
    "the files are mounted, but the pods do not report whether they serve them: answer GET "
    "/catalog on port 8081 in your image, and set spec.direct.reportsCatalog"
)


def _programmed(observed: ObservedServer) -> Condition:
    type_ = ConditionType.PROGRAMMED
    if observed.problem is not None:
        return (
            observed.problem
            if observed.problem.type is type_
            else _no(type_, Reason.NOT_ACCEPTED, observed.problem.message)
        )
    if _desired_replicas(observed) == 0:
        return _no(type_, Reason.SCALED_TO_ZERO)
    if observed.confirmed is None:
        return Condition(type_, status=None, reason=Reason.NOT_REPORTED, message=_NOT_REPORTED)
    if observed.ready_pods == 0:
        return _no(type_, Reason.NO_READY_PODS, _pods(observed))
    if observed.confirmed.missing:
        pods = [f"{pod} {answer}" for pod, answer in sorted(observed.confirmed.missing.items())]
        return _no(
            type_,
            Reason.PROPAGATING,
            f"{len(pods)} of {observed.ready_pods} ready pods have not confirmed: {_listed(pods)}",
        )
    synced = observed.confirmed.synced
    return _yes(type_, Reason.PROGRAMMED, f"confirmed by all ready pods: {synced}")


def _ready(
    observed: ObservedServer, accepted: Condition, resolved: Condition, programmed: Condition
) -> Condition:
    """Return the summary; if the server cannot serve, it names the cause to fix.

    A server for which zero replicas are requested is ready, as its spec says. Otherwise, kstatus,
    which Flux and Helm use to wait, would wait in vain. A server whose pods do not report what they
    serve is ready if enough of them are available.
    """
    if not accepted.status:
        return _no(ConditionType.READY, accepted.reason, accepted.message)
    if observed.problem is not None:
        return _no(ConditionType.READY, programmed.reason, programmed.message)
    if programmed.reason is Reason.SCALED_TO_ZERO:
        return _yes(ConditionType.READY, programmed.reason, programmed.message)
    to_blame = observed.account or observed.assembly.finding
    nobody_served = resolved if to_blame is not None else _served(observed)
    for cause in (nobody_served, programmed, _available(observed)):
        if cause.status is False:
            return _no(ConditionType.READY, cause.reason, cause.message)
    if programmed.status is None:
        return _yes(ConditionType.READY, programmed.reason, programmed.message)
    return _yes(ConditionType.READY, Reason.READY)


def _served(observed: ObservedServer) -> Condition:
    if not observed.serves_nothing:
        return _yes(ConditionType.READY, Reason.READY)
    refused = _listed(f"{kind} {key}" for kind, key in observed.not_permitted)
    consent = f"their namespaces do not permit it: {refused}" if refused else ""
    causes = _joined(_missing_kinds(observed), _unserved(observed), consent)
    return _no(ConditionType.READY, Reason.NOTHING_SERVED, f"nothing is served: {causes}")


def _available(observed: ObservedServer) -> Condition:
    status = (observed.deployment or {}).get("status") or {}
    if is_true({"status": status}, "Available"):
        return _yes(ConditionType.READY, Reason.READY)
    desired = _desired_replicas(observed)
    available = f"{status.get('availableReplicas', 0)} of {desired} pods are available"
    return _no(ConditionType.READY, Reason.UNAVAILABLE, _joined(available, _pods(observed)))


def _degraded(observed: ObservedServer) -> Condition:
    is_gateway = observed.server.spec.effective_mode == "Gateway"
    lacking = observed.confirmed.lacking if observed.confirmed and is_gateway else {}
    no_key = observed.no_key or _listed(f"pod {name}: {why}" for name, why in lacking.items())
    causes = {
        Reason.PODS_FAILING: _pods(observed),
        Reason.KIND_MISSING: _missing_kinds(observed),
        Reason.SESSION_KEY_MISSING: f"clients cannot open sessions: {no_key}" if no_key else "",
        Reason.REDIS_UNAVAILABLE: _without_redis(observed) if is_gateway else "",
        Reason.OBJECTS_REJECTED: _unserved(observed),
    }
    for reason, cause in causes.items():
        if cause:
            return _yes(ConditionType.DEGRADED, reason, _joined(*causes.values()))
    return _no(ConditionType.DEGRADED, Reason.HEALTHY)


def _without_redis(observed: ObservedServer) -> str:
    away = observed.confirmed.without_redis if observed.confirmed else {}
    if not away:
        return ""
    why = _listed(f"pod {name}: {cause}" for name, cause in sorted(away.items()))
    return f"pods cannot reach Redis, and run without it: {why}"


def _pods(observed: ObservedServer) -> str:
    """Say why there are fewer pods than requested: some fail, and others are rejected."""
    failing = _listed(f"pod {name} {why}" for name, why in observed.failing.items())
    refused = refused_pods(observed.deployment)
    return _joined(failing, f"pods are rejected: {refused}" if refused else "")


def _missing_kinds(observed: ObservedServer) -> str:
    if not observed.missing_kinds:
        return ""
    kinds = ", ".join(observed.missing_kinds)
    return f"the API server does not serve {kinds}: reinstall the CustomResourceDefinitions"


def _unserved(observed: ObservedServer) -> str:
    rejected = [f"{r.kind} {r.key.name} ({r.reason})" for r in observed.assembly.rejected]
    return f"not fully served: {_listed(rejected)}" if rejected else ""


def _joined(*sentences: str) -> str:
    return "; ".join(filter(None, sentences))


def _listed(items: Iterable[str]) -> str:
    every = list(items)
    rest = len(every) - LISTED_ITEMS
    return ", ".join(every[:LISTED_ITEMS]) + (f" and {rest} more" if rest > 0 else "")


def _internal_url(server: MCPServer) -> str:
    service = f"{child_name(server.name)}.{server.namespace}.svc"
    scheme = "https" if server.spec.tls is not None else "http"
    return f"{scheme}://{service}:{server.spec.service.port}/mcp"
