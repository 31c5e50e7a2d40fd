"""Cluster features that need real controllers, a scheduler and a kubelet."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.harness.installs import Install
from e2e.harness.kubectl import Kubectl, Object
from e2e.harness.shop import namespace
from e2e.harness.waiting import eventually

DEPLOYMENT = "mcp-server-shop"

TAINT = "mcp-operator-e2e"


@pytest.fixture
def team(operator: Install) -> Iterator[Kubectl]:
    """A namespace of a team that can use the operator."""
    name = f"e2e-rules-{uuid.uuid4().hex[:8]}"
    operator.kubectl.apply(namespace(name))
    try:
        yield operator.kubectl.within(name)
    finally:
        operator.kubectl("delete", "namespace", name, "--wait=false")


def test_the_message_of_a_quota_that_rejects_pods_is_in_the_condition_ready(team: Kubectl) -> None:
    hard = {"limits.cpu": "2", "limits.memory": "4Gi", "pods": "4"}
    team.apply({**of("v1", "ResourceQuota", "narrow"), "spec": {"hard": hard}})
    serve(team)

    told = eventually(
        lambda: said(team, "Ready", "failed quota: narrow"), "the quota to be named in Ready"
    )
    assert "must specify limits.cpu for: gateway" in told

    limits = {"cpu": "500m", "memory": "256Mi"}
    team.patch("mcpserver", "shop", {"spec": {"resources": {"limits": limits}}})
    team.wait("mcpserver/shop", "condition=Ready")


def test_the_operator_does_not_override_an_autoscaler_of_the_user(team: Kubectl) -> None:
    serve(team)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": DEPLOYMENT}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    spec = {
        "scaleTargetRef": target,
        "minReplicas": 3,
        "maxReplicas": 4,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    scaler = of("autoscaling/v2", "HorizontalPodAutoscaler", "own")
    team.apply({**scaler, "spec": spec})
    eventually(lambda: synced(team) == 3, "three pods that serve the catalog")

    before = generation(team)
    team.patch("mcpserver", "shop", {"spec": {"podTemplate": {"metadata": {"labels": {"a": "b"}}}}})
    eventually(lambda: generation(team) > before, "the operator to write the Deployment again")
    assert team.get("deployment", DEPLOYMENT)["spec"]["replicas"] == 3
    team.rollout(f"deployment/{DEPLOYMENT}")
    assert team.get("deployment", DEPLOYMENT)["spec"]["replicas"] == 3


def test_pods_run_only_on_the_node_that_the_template_selects_and_tolerates(team: Kubectl) -> None:
    with kept_for(team, "ai") as node:
        placed = {"nodeSelector": {TAINT: "ai"}}
        serve(team, podTemplate={"spec": placed})
        eventually(
            lambda: said(team, "Ready", "cannot be scheduled"), "the taint to keep the pod away"
        )

        tolerated = [{"key": TAINT, "operator": "Equal", "value": "ai", "effect": "NoSchedule"}]
        template = {"spec": placed | {"tolerations": tolerated}}
        team.patch("mcpserver", "shop", {"spec": {"podTemplate": template}})
        team.wait("mcpserver/shop", "condition=Ready")
        assert {pod["spec"]["nodeName"] for pod in ready_pods(team)} == {node}


def test_a_gateway_runs_with_a_labeled_service_account_of_the_user(team: Kubectl) -> None:
    team.apply(of("v1", "ServiceAccount", "identity"))
    serve(team, podTemplate={"spec": {"serviceAccountName": "identity"}})
    told = eventually(
        lambda: said(team, "ResolvedRefs", "mcp-operator.dev/usable=true"), "the missing label"
    )
    assert "ServiceAccount identity" in told
    assert not team.find("pods")

    team("label", "serviceaccount", "identity", "mcp-operator.dev/usable=true")
    team.wait("mcpserver/shop", "condition=Ready")
    assert [pod["spec"]["serviceAccountName"] for pod in ready_pods(team)] == ["identity"]
    assert synced(team) == 1


def of(api_version: str, kind: str, name: str) -> Object:
    """Return the common fields of an object."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def serve(team: Kubectl, **spec: object) -> None:
    """Create a server that selects nothing, because only its pods matter."""
    given = {"toolSelector": {}} | spec
    team.apply({**of("mcp-operator.dev/v1alpha1", "MCPServer", "shop"), "spec": given})


def said(team: Kubectl, type_: str, words: str) -> str:
    """Return the message of a condition that is False and has these words; empty if none has."""
    for condition in team.get("mcpserver", "shop").get("status", {}).get("conditions", ()):
        if condition["type"] == type_ and condition["status"] == "False":
            message: str = condition["message"]
            return message if words in message else ""
    return ""


def synced(team: Kubectl) -> int:
    """Return the number of pods that have confirmed the catalog."""
    return int(team.get("mcpserver", "shop").get("status", {}).get("syncedReplicas", 0))


def generation(team: Kubectl) -> int:
    """Return the Deployment's generation, which increases with each change of its spec."""
    return int(team.get("deployment", DEPLOYMENT)["metadata"]["generation"])


def ready_pods(team: Kubectl) -> list[Object]:
    """Return the pods that are ready."""
    return [
        pod
        for pod in team.find("pods")
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    ]


@contextmanager
def kept_for(team: Kubectl, whom: str) -> Iterator[str]:
    """Label a node, and taint it so that only pods that tolerate it run there; yield its name."""
    name: str = team.find("nodes")[0]["metadata"]["name"]
    team("label", "node", name, f"{TAINT}={whom}")
    team("taint", "node", name, f"{TAINT}={whom}:NoSchedule")
    try:
        yield name
    finally:
        team("taint", "node", name, f"{TAINT}-")
        team("label", "node", name, f"{TAINT}-")
