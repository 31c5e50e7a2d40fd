"""What the operator's NetworkPolicies block. That they allow enough, all other tests show."""

from __future__ import annotations

import pytest

from e2e.harness.client import Client
from e2e.harness.installs import Install
from e2e.harness.kubectl import CommandError
from e2e.harness.shop import Shop
from e2e.harness.waiting import eventually

METRICS = "http://mcp-operator.mcp-system.svc:8080/metrics"

SCRAPES = "mcp-operator.dev/scrapes-metrics"


def test_metrics_are_for_labelled_namespaces_only(samples: Shop) -> None:
    with pytest.raises(CommandError, match="Timeout"):
        samples.client.get(METRICS)

    samples.kubectl("label", "namespace", samples.kubectl.namespace, f"{SCRAPES}=true")

    eventually(lambda: samples.client.get(METRICS)[0] == 200, "the metrics to be admitted")


def test_health_is_for_the_kubelet_only(samples: Shop, operator: Install) -> None:
    pods = operator.system.find("pods", "--selector=app.kubernetes.io/name=mcp-operator")
    with pytest.raises(CommandError, match="Timeout"):
        samples.client.get(f"http://{pods[0]['status']['podIP']}:8081/readyz")


def test_nothing_else_gets_out_of_the_operators_namespace(samples: Shop, operator: Install) -> None:
    inside = Client(operator.system, samples.image)
    inside.start()
    # DNS cannot be reached either. Which of the two times out first does not matter.
    with pytest.raises(CommandError, match=r"Timeout|failure in name resolution"):
        inside.get(samples.url)
