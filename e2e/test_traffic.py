"""Clients of a server do not notice changes around it."""

from __future__ import annotations

import json

import pytest

from e2e.harness.installs import OPERATOR, Install
from e2e.harness.kubectl import CommandError
from e2e.harness.shop import GATEWAY, GATEWAY_PODS, Shop
from e2e.harness.traffic import MIN_CALLS, RATE, SECONDS, assert_nothing_failed
from e2e.harness.waiting import eventually

TOOL = "search-products"


@pytest.fixture(autouse=True)
def three(samples: Shop) -> None:
    """Start each test with three pods."""
    samples.scale(3)


def test_no_call_fails_during_a_rolling_restart(samples: Shop) -> None:
    with samples.load(TOOL, RATE, MIN_CALLS, SECONDS) as summary:
        samples.kubectl("rollout", "restart", GATEWAY)
        samples.kubectl.rollout(GATEWAY)
        samples.wait_for_pods(3)
    assert_nothing_failed(summary)


def test_no_call_fails_while_three_pods_are_scaled_to_one(samples: Shop) -> None:
    with samples.load(TOOL, RATE, MIN_CALLS, SECONDS) as summary:
        samples.scale(1)
    assert_nothing_failed(summary)


def test_no_call_fails_while_the_operator_is_replaced(samples: Shop, operator: Install) -> None:
    with samples.load(TOOL, RATE, MIN_CALLS, SECONDS) as summary:
        pods = "--selector=app.kubernetes.io/name=mcp-operator"
        operator.system("delete", "pods", pods, "--grace-period=0", "--force")
        operator.system.rollout(OPERATOR)
        samples.kubectl.patch("mcptool", "product-picture", {"spec": {"enabled": False}})
        eventually(lambda: "product-picture" not in samples.tools(), "the new leader to lead")
        samples.kubectl.patch("mcptool", "product-picture", {"spec": {"enabled": True}})
        eventually(lambda: "product-picture" in samples.tools(), "the tool to be back")
    assert_nothing_failed(summary)


def test_no_call_fails_while_pods_are_evicted_as_in_a_drain(samples: Shop) -> None:
    """`kubectl drain` evicts pods, and retries while a PodDisruptionBudget refuses.

    The test cannot run it, because in a cluster with one node, no pod would start again.
    """
    first, second, _ = (
        pod["metadata"]["name"] for pod in samples.kubectl.find("pods", GATEWAY_PODS)
    )
    with samples.load(TOOL, RATE, MIN_CALLS, SECONDS) as summary:
        evict(samples, first)
        with pytest.raises(CommandError, match="disruption budget"):
            evict(samples, second)
        samples.wait_for_pods(3)
        eventually(lambda: evict(samples, second), "the second eviction to be allowed")
        samples.wait_for_pods(3)
    assert_nothing_failed(summary)


def test_an_autoscaler_can_scale_a_server(samples: Shop) -> None:
    samples.kubectl("autoscale", "mcpservers/shop", "--min=1", "--max=3")
    try:

        def is_able() -> bool:
            (autoscaler,) = samples.kubectl.find("hpa")
            said = autoscaler["status"].get("conditions", ())
            return any(c["type"] == "AbleToScale" and c["status"] == "True" for c in said)

        eventually(is_able, "the autoscaler to be able to scale")
    finally:
        samples.kubectl("delete", "hpa", "shop")


def evict(samples: Shop, pod: str) -> bool:
    """Request an eviction, as `kubectl drain` does; return True once it is granted."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/{samples.kubectl.namespace}/pods/{pod}/eviction"
    samples.kubectl("create", "--raw", path, "--filename=-", stdin=json.dumps(eviction))
    return True
