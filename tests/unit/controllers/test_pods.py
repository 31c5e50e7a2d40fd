"""Pods that cannot become ready without a fix, and why."""

from __future__ import annotations

import pytest

from mcp_operator.controllers.pods import failing, is_ready, refused_pods
from mcp_operator.core.meta import Object


def pod(name: str = "shop-x", *, reason: str = "", message: str = "", **status: object) -> Object:
    waiting = {"waiting": {"reason": reason, "message": message}} if reason else {"running": {}}
    return {
        "metadata": {"name": name},
        "status": {"containerStatuses": [{"state": waiting}]} | status,
    }


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("ErrImagePull", "cannot pull its image"),
        ("ImagePullBackOff", "cannot pull its image"),
        ("CrashLoopBackOff", "keeps crashing"),
        ("CreateContainerConfigError", "has an invalid configuration"),
    ],
)
def test_a_container_that_cannot_start_is_reported(reason: str, why: str) -> None:
    assert failing([pod(reason=reason)]) == {"shop-x": why}


def test_an_unschedulable_pod_is_reported() -> None:
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    assert failing([pod(conditions=[unschedulable])]) == {"shop-x": "cannot be scheduled"}


def test_a_cause_includes_the_message_of_the_pod_only_if_it_is_stable() -> None:
    config = pod(reason="CreateContainerConfigError", message='secret "tls" not found')
    assert failing([config]) == {"shop-x": 'has an invalid configuration (secret "tls" not found)'}
    pull = pod(reason="ErrImagePull", message="rpc error: 429 Too Many Requests, try again in 3 s")
    assert failing([pull]) == {"shop-x": "cannot pull its image"}


def test_the_message_about_an_unschedulable_pod_omits_preemption() -> None:
    message = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available."
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": message}
    told = "cannot be scheduled (0/3 nodes are available: 3 Insufficient cpu)"
    assert failing([pod(conditions=[condition])]) == {"shop-x": told}


def deployment(status: str, message: str) -> Object:
    condition = {"type": "ReplicaFailure", "status": status, "message": message}
    return {"status": {"conditions": [condition]}}


def test_the_message_about_forbidden_pods_does_not_change_between_tries() -> None:
    for suffix in ("x2k4f", "9zq7b"):
        message = f'pods "mcp-server-shop-6c8-{suffix}" is forbidden: exceeded quota: q'
        assert refused_pods(deployment("True", message)) == "forbidden: exceeded quota: q"
    assert refused_pods(deployment("False", "old")) == ""
    assert refused_pods({}) == refused_pods(None) == ""


@pytest.mark.parametrize("reason", ["", "ContainerCreating", "PodInitializing"])
def test_a_pod_that_is_starting_is_not_failing(reason: str) -> None:
    assert failing([pod(reason=reason), {"metadata": {"name": "new"}}]) == {}


def test_a_pod_that_is_being_deleted_is_not_failing() -> None:
    going = pod(reason="CrashLoopBackOff")
    going["metadata"]["deletionTimestamp"] = "now"
    assert failing([going]) == {}


def test_failing_pods_are_sorted_by_name() -> None:
    told = failing([pod("b", reason="CrashLoopBackOff"), pod("a", reason="CrashLoopBackOff")])
    assert list(told) == ["a", "b"]


READY_POD: Object = {
    "metadata": {"name": "p"},
    "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (READY_POD, True),
        ({"metadata": {"name": "p"}}, False),
        ({"metadata": {"name": "p"}, "status": {"podIP": "10.0.0.1"}}, False),
        (READY_POD | {"metadata": {"name": "p", "deletionTimestamp": "now"}}, False),
        (READY_POD | {"status": READY_POD["status"] | {"podIP": ""}}, False),
        (
            READY_POD
            | {
                "status": READY_POD["status"]
                | {"conditions": [{"type": "Ready", "status": "False"}]}
            },
            False,
        ),
    ],
)
def test_a_pod_is_asked_only_if_it_is_ready_has_an_ip_and_is_not_being_deleted(
    pod: Object, *, expected: bool
) -> None:
    assert is_ready(pod) is expected
