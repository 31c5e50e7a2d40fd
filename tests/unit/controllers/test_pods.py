"""Which pods will not become ready by themselves, and why."""

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
def test_a_container_that_waits_in_vain_is_told(reason: str, why: str) -> None:
    assert failing([pod(reason=reason)]) == {"shop-x": why}


def test_a_pod_that_fits_on_no_node_is_told() -> None:
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    assert failing([pod(conditions=[unschedulable])]) == {"shop-x": "cannot be scheduled"}


def test_a_cause_is_told_in_the_words_of_the_pod_where_they_stay_the_same() -> None:
    config = pod(reason="CreateContainerConfigError", message='secret "tls" not found')
    assert failing([config]) == {"shop-x": 'has an invalid configuration (secret "tls" not found)'}
    pull = pod(reason="ErrImagePull", message="rpc error: 429 Too Many Requests, try again in 3 s")
    assert failing([pull]) == {"shop-x": "cannot pull its image"}


def test_why_a_pod_fits_on_no_node_is_told_without_advice() -> None:
    message = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available."
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": message}
    told = "cannot be scheduled (0/3 nodes are available: 3 Insufficient cpu)"
    assert failing([pod(conditions=[condition])]) == {"shop-x": told}


def deployment(status: str, message: str) -> Object:
    condition = {"type": "ReplicaFailure", "status": status, "message": message}
    return {"status": {"conditions": [condition]}}


def test_a_refusal_of_pods_is_told_in_the_same_words_at_each_try() -> None:
    for suffix in ("x2k4f", "9zq7b"):
        message = f'pods "mcp-server-shop-6c8-{suffix}" is forbidden: exceeded quota: q'
        assert refused_pods(deployment("True", message)) == "forbidden: exceeded quota: q"
    assert refused_pods(deployment("False", "old")) == ""
    assert refused_pods({}) == refused_pods(None) == ""


@pytest.mark.parametrize("reason", ["", "ContainerCreating", "PodInitializing"])
def test_a_pod_that_is_on_its_way_is_not_failing(reason: str) -> None:
    assert failing([pod(reason=reason), {"metadata": {"name": "new"}}]) == {}


def test_a_pod_that_is_going_is_not_failing() -> None:
    going = pod(reason="CrashLoopBackOff")
    going["metadata"]["deletionTimestamp"] = "now"
    assert failing([going]) == {}


def test_pods_are_told_by_name() -> None:
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
def test_a_pod_is_asked_only_while_it_is_ready_and_reachable(
    pod: Object, *, expected: bool
) -> None:
    assert is_ready(pod) is expected
