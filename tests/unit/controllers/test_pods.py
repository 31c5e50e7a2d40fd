"""Which pods will not become ready by themselves, and why."""

from __future__ import annotations

import pytest

from mcp_operator.controllers.pods import failing
from mcp_operator.core.meta import Object


def pod(name: str = "shop-x", *, reason: str = "", **status: object) -> Object:
    waiting = {"waiting": {"reason": reason}} if reason else {"running": {}}
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
