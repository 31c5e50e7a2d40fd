"""What a server's clients notice of what happens around it: nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.harness.installs import OPERATOR, Install
from e2e.harness.shop import Shop
from e2e.harness.waiting import eventually

RATE = float(os.environ.get("E2E_RATE", "200"))
"""Calls a second, half of them on connections of their own."""

SECONDS = 180.0
"""The longest that the load goes on; each test ends it when it has seen enough."""

GATEWAY = "deployment/mcp-server-shop"
GATEWAY_PODS = "--selector=app.kubernetes.io/instance=shop"


@pytest.fixture(autouse=True)
def _three_replicas(samples: Shop) -> Iterator[None]:
    scale(samples, 3)
    yield


def scale(samples: Shop, replicas: int) -> None:
    """Scale as a user does, and wait until exactly that many pods are there and ready."""
    samples.kubectl("scale", "mcps/shop", f"--replicas={replicas}")
    ready = f"jsonpath={{.status.readyReplicas}}={replicas}"
    samples.kubectl.wait("mcpserver/shop", ready, 120)
    eventually(
        lambda: len(samples.kubectl.find("pods", GATEWAY_PODS)) == replicas, "the scale", 120
    )


def assert_nothing_failed(summary: dict[str, Any]) -> None:
    """Hold a load's summary to its rate and to no failure at all."""
    print(summary)  # noqa: T201 - pytest shows it with -rP, and when something fails
    assert summary["failures"] == {}, summary
    assert summary["calls"] >= 0.9 * RATE * summary["seconds"], summary


def test_a_rolling_restart_fails_no_call(samples: Shop) -> None:
    with samples.load("search-products", RATE, SECONDS) as summary:
        samples.kubectl("rollout", "restart", GATEWAY)
        samples.kubectl.rollout(GATEWAY, 150)
        old_pods_are_gone(samples)
    assert_nothing_failed(summary)


def test_scaling_from_three_to_one_fails_no_call(samples: Shop) -> None:
    with samples.load("search-products", RATE, SECONDS) as summary:
        scale(samples, 1)
    assert_nothing_failed(summary)


def test_losing_the_operator_fails_no_call(samples: Shop, operator: Install) -> None:
    with samples.load("search-products", RATE, SECONDS) as summary:
        pods = "--selector=app.kubernetes.io/name=mcp-operator"
        operator.system("delete", "pods", pods, "--grace-period=0", "--force")
        operator.system.rollout(OPERATOR, 120)
        samples.kubectl.patch("mcptool", "product-picture", {"spec": {"enabled": False}})
        eventually(lambda: "product-picture" not in samples.tools(), "the new leader to lead")
        samples.kubectl.patch("mcptool", "product-picture", {"spec": {"enabled": True}})
        eventually(lambda: "product-picture" in samples.tools(), "the tool to be back")
    assert_nothing_failed(summary)


def old_pods_are_gone(samples: Shop) -> None:
    """Wait until terminated pods have left too."""
    eventually(lambda: len(samples.kubectl.find("pods", GATEWAY_PODS)) == 3, "old pods to go", 120)
