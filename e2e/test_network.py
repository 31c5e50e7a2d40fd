"""Connections that the NetworkPolicies of the operator block; other tests use the allowed ones."""

from __future__ import annotations

import pytest

from e2e.harness.client import Client
from e2e.harness.installs import Install
from e2e.harness.kubectl import CommandError
from e2e.harness.shop import Shop
from e2e.harness.waiting import eventually

METRICS = "http://mcp-operator.mcp-system.svc:8080/metrics"

SCRAPES = "mcp-operator.dev/scrapes-metrics"


def test_metrics_can_be_read_only_from_labeled_namespaces(samples: Shop) -> None:
    with pytest.raises(CommandError, match="Timeout"):
        samples.client.get(METRICS)

    samples.kubectl("label", "namespace", samples.kubectl.namespace, f"{SCRAPES}=true")

    eventually(lambda: samples.client.get(METRICS)[0] == 200, "the metrics to be admitted")


def test_the_health_port_of_the_operator_cannot_be_reached_from_a_pod(
    samples: Shop, operator: Install
) -> None:
    pods = operator.system.find("pods", "--selector=app.kubernetes.io/name=mcp-operator")
    with pytest.raises(CommandError, match="Timeout"):
        samples.client.get(f"http://{pods[0]['status']['podIP']}:8081/readyz")


def test_a_pod_in_the_namespace_of_the_operator_has_no_egress(
    samples: Shop, operator: Install
) -> None:
    inside = Client(operator.system, samples.image)
    inside.start()
    # DNS cannot be reached either. Which of the two times out first does not matter.
    with pytest.raises(CommandError, match=r"Timeout|failure in name resolution"):
        inside.get(samples.url)
