"""The status of an MCPServer, decided from observed facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from mcp_operator.api.catalog import Redis
from mcp_operator.api.conditions import Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.serverstatus import MCPServerStatus
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.compiled import Finding
from mcp_operator.controllers.confirmations import Confirmed
from mcp_operator.controllers.mcpserver_status import (
    ObservedServer,
    server_conditions,
    server_fields,
)
from mcp_operator.controllers.rejections import LISTED_REJECTIONS
from mcp_operator.core.meta import Key, Object
from support.documented_reasons import declared
from support.entries import catalog, tool
from support.observed_servers import (
    ACCEPTED,
    DEGRADED,
    PROGRAMMED,
    READY,
    RESOLVED,
    rejection,
    view,
)

DIRECT = {"mode": "Direct", "image": "example/mcp:1"}


def counting(host: str, **redis: Any) -> Assembly:
    """Return the catalog of a server that counts calls in a Redis."""
    there = Redis(host=host, port=6379, keys="", **redis)
    return Assembly(catalog(tool(), redis=there), (), (), frozenset())


def decided(given: ObservedServer) -> dict[ConditionType, Condition]:
    conditions = declared(server_conditions(given))
    assert list(conditions) == [ACCEPTED, RESOLVED, PROGRAMMED, READY, DEGRADED]
    return conditions


def test_a_server_whose_pods_have_all_confirmed_is_ready() -> None:
    conditions = decided(view())
    assert all(condition.good for condition in conditions.values())
    assert conditions[PROGRAMMED].message == "confirmed by all ready pods: 2"
    assert conditions[READY].reason is Reason.READY


def test_pods_that_have_not_confirmed_are_named_with_their_answers() -> None:
    missing = {"pod-b": "has not answered yet", "pod-a": "serves catalog 4567"}
    conditions = decided(view(ready_pods=3, confirmed=Confirmed(1, missing, 9)))
    for type_ in (PROGRAMMED, READY):
        assert conditions[type_].reason is Reason.PROPAGATING
        assert conditions[type_].message == (
            "2 of 3 ready pods have not confirmed: "
            "pod-a serves catalog 4567, pod-b has not answered yet"
        )


def test_a_message_about_many_pods_names_a_few() -> None:
    missing = {f"pod-{number:03}": "is slow" for number in range(200)}
    message = decided(view(ready_pods=200, confirmed=Confirmed(0, missing, 9)))[PROGRAMMED].message
    assert message.startswith("200 of 200 ready pods have not confirmed: pod-000 is slow, ")
    assert message.endswith("pod-004 is slow and 195 more")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (view(ready_pods=0, confirmed=Confirmed(0, {}, 0)), Reason.NO_READY_PODS),
        (view(spec={"replicas": 0}), Reason.SCALED_TO_ZERO),
        (view(spec={"replicas": 0} | DIRECT, confirmed=None), Reason.SCALED_TO_ZERO),
    ],
)
def test_a_server_without_ready_pods_is_not_programmed(
    given: ObservedServer, reason: Reason
) -> None:
    conditions = decided(given)
    assert conditions[PROGRAMMED].reason is reason
    assert conditions[READY].reason is reason
    assert conditions[READY].status is (reason is Reason.SCALED_TO_ZERO)  # as its spec says
    assert conditions[ACCEPTED].status


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        (None, "0 of 3 pods are available"),
        ({"status": {}}, "0 of 3 pods are available"),
        ({"status": None}, "0 of 3 pods are available"),
        (
            {
                "status": {
                    "availableReplicas": 1,
                    "conditions": [{"type": "Available", "status": "False"}],
                }
            },
            "1 of 3 pods are available",
        ),
    ],
)
def test_a_server_with_too_few_pods_is_not_ready(deployment: Object | None, message: str) -> None:
    conditions = decided(view(spec={"replicas": 3}, deployment=deployment))
    assert conditions[PROGRAMMED].status
    assert conditions[READY].reason is Reason.UNAVAILABLE
    assert conditions[READY].message == message


def test_a_server_with_rejected_objects_is_degraded_and_ready() -> None:
    conditions = decided(view(rejection("bad"), rejection("lost", resolved=False)))
    assert conditions[READY].status
    assert conditions[DEGRADED].status
    assert conditions[DEGRADED].reason is Reason.OBJECTS_REJECTED
    assert (
        conditions[DEGRADED].message
        == "not fully served: MCPTool bad (InvalidSchema), MCPTool lost (ServiceNotFound)"
    )
    assert conditions[RESOLVED].reason is Reason.OBJECTS_UNRESOLVED
    assert conditions[RESOLVED].message.endswith("because of unresolved references: MCPTool lost")


def test_a_server_that_serves_none_of_its_selected_objects_is_not_ready() -> None:
    nothing = Assembly(catalog(), (), (rejection("bad"),), frozenset())
    conditions = decided(view(assembly=nothing))
    assert conditions[PROGRAMMED].status
    assert conditions[READY].reason is Reason.NOTHING_SERVED
    assert (
        conditions[READY].message
        == "nothing is served: not fully served: MCPTool bad (InvalidSchema)"
    )
    assert conditions[DEGRADED].reason is Reason.OBJECTS_REJECTED


def test_a_server_that_selects_nothing_is_ready() -> None:
    conditions = decided(view(assembly=Assembly(catalog(), (), (), frozenset())))
    assert conditions[READY].status
    assert not conditions[DEGRADED].status


def test_a_missing_kind_degrades_a_server_and_one_with_nothing_else_is_not_ready() -> None:
    conditions = decided(view(missing_kinds=["MCPTool"]))
    assert conditions[READY].status
    assert conditions[DEGRADED].reason is Reason.KIND_MISSING
    nothing = Assembly(catalog(), (), (), frozenset())
    conditions = decided(view(missing_kinds=["MCPTool"], assembly=nothing))
    assert conditions[READY].reason is Reason.NOTHING_SERVED
    assert "the API server does not serve MCPTool" in conditions[READY].message


def test_a_server_that_cannot_authenticate_any_client_is_not_ready() -> None:
    why = "Secret demo/keys does not exist"
    finding = Finding(ConditionType.RESOLVED_REFS, Reason.SECRET_NOT_FOUND, why)
    locked = Assembly(catalog(tool()), (), (), frozenset(), finding)
    conditions = decided(view(assembly=locked))
    assert conditions[READY].reason is Reason.SECRET_NOT_FOUND
    assert not conditions[READY].status


def test_the_message_about_missing_pods_has_the_replica_failure_of_the_deployment() -> None:
    quota = (
        'pods "mcp-server-shop-6c8-x2k4f" is forbidden: failed quota: q: must specify limits.cpu'
    )
    refused: Object = {
        "spec": {"replicas": 2},
        "status": {
            "availableReplicas": 1,
            "conditions": [{"type": "ReplicaFailure", "status": "True", "message": quota}],
        },
    }
    conditions = decided(view(spec={"replicas": 2}, deployment=refused))
    why = "pods are rejected: forbidden: failed quota: q: must specify limits.cpu"
    assert conditions[READY].reason is Reason.UNAVAILABLE
    assert conditions[READY].message == f"1 of 2 pods are available; {why}"
    assert conditions[DEGRADED].reason is Reason.PODS_FAILING
    assert conditions[DEGRADED].message == why
    none = view(ready_pods=0, confirmed=Confirmed(0, {}, 0), deployment=refused)
    assert decided(none)[READY].message == why


def test_a_message_about_many_rejected_objects_names_a_few() -> None:
    many = [rejection(f"tool-{number}") for number in range(9)]
    message = decided(view(*many))[DEGRADED].message
    assert message.endswith("MCPTool tool-4 (InvalidSchema) and 4 more")


@pytest.mark.parametrize("mode", ["Open", "Closed"])
def test_a_missing_redis_is_reported_with_its_effect_on_calls(
    mode: Literal["Open", "Closed"],
) -> None:
    finding = Finding(
        ConditionType.RESOLVED_REFS, Reason.SERVICE_NOT_FOUND, "Service demo/redis does not exist"
    )
    assembly = replace(counting("redis.demo.svc", failure_mode=mode), redis_finding=finding)
    condition = decided(view(assembly=assembly))[RESOLVED]
    assert (condition.status, condition.reason) == (False, Reason.SERVICE_NOT_FOUND)
    assert ("each pod counts its own" in condition.message) == (mode == "Open")
    assert "Service demo/redis does not exist" in condition.message


@pytest.mark.parametrize(
    ("host", "master", "extra", "blocked"),
    [
        ("redis.demo.svc", "", [], ""),
        ("redis.example.com", "", [], "behind spec.redis.address"),
        ("10.0.0.1", "", [], "behind spec.redis.address"),
        ("redis.demo.svc", "shop", [], "behind the Sentinels"),
        ("redis.example.com", "", [{"ports": [{"port": 6379}]}], ""),
    ],
)
def test_a_redis_that_the_network_policy_blocks_is_reported(
    host: str, master: str, extra: list[Any], blocked: str
) -> None:
    policy: dict[str, Any] = {"mode": "Full"} | ({"extraEgress": extra} if extra else {})
    for mode, expected in (("Full", blocked), ("Ingress", "")):
        spec = {"networkPolicy": policy | {"mode": mode}}
        found = view(spec=spec, assembly=counting(host, master_name=master))
        condition = decided(found)[ACCEPTED]
        assert expected in condition.message
        reason = Reason.EGRESS_INCOMPLETE if expected else Reason.ACCEPTED
        assert (condition.status, condition.reason) == (True, reason)


def test_an_http_route_without_the_gateway_api_is_reported() -> None:
    spec = {"httpRoute": {"parentRefs": [{"name": "gate"}]}}
    conditions = decided(view(spec=spec, facts=ClusterFacts(has_gateway_api=False)))
    assert conditions[RESOLVED].reason is Reason.GATEWAY_API_MISSING
    assert conditions[READY].status
    assert decided(view(spec=spec))[RESOLVED].status


def test_services_that_the_network_policy_blocks_are_named() -> None:
    closed = ClusterFacts(without_selector=(Key("demo", "legacy"),))
    conditions = decided(view(facts=closed))
    assert conditions[ACCEPTED].status
    assert conditions[ACCEPTED].reason is Reason.EGRESS_INCOMPLETE
    assert "demo/legacy" in conditions[ACCEPTED].message


def test_with_an_autoscaler_the_desired_pods_are_those_of_the_deployment() -> None:
    spec = {"autoscaling": {"maxReplicas": 9, "targetCPUUtilizationPercentage": 80}}
    deployment = {"spec": {"replicas": 7}, "status": {"availableReplicas": 3}}
    conditions = decided(view(spec=spec, deployment=deployment))
    assert conditions[READY].message == "3 of 7 pods are available"


def test_a_server_with_a_catalog_that_is_too_large_is_not_accepted() -> None:
    problem = Condition(ACCEPTED, status=False, reason=Reason.CATALOG_TOO_LARGE, message="select")
    conditions = decided(view(spec=DIRECT, confirmed=None, problem=problem))
    assert conditions[ACCEPTED] is problem
    assert conditions[PROGRAMMED].reason is Reason.NOT_ACCEPTED
    assert conditions[PROGRAMMED].message == "select"
    assert conditions[READY].reason is Reason.CATALOG_TOO_LARGE


@pytest.mark.parametrize("reason", [Reason.CONFLICT, Reason.APPLY_FAILED])
def test_a_server_with_a_child_that_cannot_be_applied_is_not_programmed(
    reason: Reason,
) -> None:
    problem = Condition(PROGRAMMED, status=False, reason=reason, message="in the way")
    conditions = decided(view(problem=problem))
    assert conditions[ACCEPTED].status
    assert conditions[PROGRAMMED] is problem
    assert (conditions[READY].reason, conditions[READY].message) == (reason, "in the way")


def test_the_status_fields_have_the_counts_of_entries_and_pods() -> None:
    fields = server_fields(view())
    MCPServerStatus.model_validate(fields)
    assert (fields["mode"], fields["replicas"], fields["readyReplicas"]) == ("Gateway", 2, 2)
    assert fields["syncedReplicas"] == 2
    assert [fields[f"{kind}Count"] for kind in ("tool", "prompt", "resource")] == [1, 1, 1]
    assert (fields["configHash"], fields["configBytes"]) == ("0123", 500)
    assert fields["selector"] == "app.kubernetes.io/name=mcp-server,app.kubernetes.io/instance=shop"
    assert fields["protocolVersions"]
    assert (fields["rejected"], fields["rejectedCount"]) == ([], 0)


def test_the_status_fields_of_a_direct_server_have_no_synced_replicas() -> None:
    fields = server_fields(view(spec=DIRECT, confirmed=None, deployment=None))
    assert (fields["mode"], fields["replicas"], fields["readyReplicas"]) == ("Direct", 0, 0)
    assert fields["syncedReplicas"] is None
    assert fields["protocolVersions"] is None


def test_the_number_and_size_of_listed_rejections_are_limited() -> None:
    many = [rejection(f"tool-{number}", message="x" * 5000) for number in range(150)]
    fields = server_fields(view(*many))
    MCPServerStatus.model_validate(fields)
    assert len(fields["rejected"]) == LISTED_REJECTIONS
    assert fields["rejectedCount"] == 150
    assert fields["rejected"][0] == {
        "kind": "MCPTool",
        "namespace": "demo",
        "name": "tool-0",
        "reason": "InvalidSchema",
        "message": "x" * 1024,
    }


@pytest.mark.parametrize(
    ("ingress", "url"),
    [
        (None, "http://mcp-server-shop.demo.svc:8080/mcp"),
        ({}, "http://mcp-server-shop.demo.svc:8080/mcp"),
        ({"host": "*.example.com"}, "http://mcp-server-shop.demo.svc:8080/mcp"),
        ({"host": "mcp.example.com"}, "http://mcp.example.com/mcp"),
        ({"host": "mcp.example.com", "pathPrefix": "/shop"}, "http://mcp.example.com/shop"),
        ({"host": "mcp.example.com", "tlsSecretName": "tls"}, "https://mcp.example.com/mcp"),
    ],
)
def test_the_url_is_that_of_the_ingress_or_of_the_service(ingress: Any, url: str) -> None:
    fields = server_fields(view(spec={"ingress": ingress} if ingress is not None else {}))
    assert fields["url"] == url
    assert fields["internalURL"] == "http://mcp-server-shop.demo.svc:8080/mcp"


def test_the_url_of_a_gateway_with_tls_is_https() -> None:
    fields = server_fields(view(spec={"tls": {"secretName": "shop-tls"}}))
    assert fields["url"] == fields["internalURL"] == "https://mcp-server-shop.demo.svc:8080/mcp"


def test_the_url_has_the_port_of_the_service() -> None:
    fields = server_fields(view(spec={"service": {"port": 81}}))
    assert fields["url"] == "http://mcp-server-shop.demo.svc:81/mcp"


def test_a_failing_pod_degrades_a_server_whose_other_pods_are_ready() -> None:
    conditions = decided(view(failing={"shop-x": "cannot pull its image"}))
    assert conditions[READY].status
    assert conditions[DEGRADED].reason is Reason.PODS_FAILING
    assert conditions[DEGRADED].message == "pod shop-x cannot pull its image"


def test_failing_pods_and_rejected_objects_are_reported_together() -> None:
    message = decided(view(rejection("a"), failing={"shop-x": "keeps crashing"}))[DEGRADED].message
    assert message.startswith("pod shop-x keeps crashing; not fully served: MCPTool a")


def test_a_server_without_ready_pods_reports_the_failing_ones() -> None:
    none = view(
        ready_pods=0,
        confirmed=Confirmed(0, {}, 0),
        deployment={"spec": {"replicas": 1}, "status": {}},
        failing={"shop-x": "keeps crashing"},
    )
    assert decided(none)[PROGRAMMED].message == "pod shop-x keeps crashing"
