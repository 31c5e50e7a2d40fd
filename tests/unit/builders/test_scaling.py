"""The HorizontalPodAutoscaler and the PodDisruptionBudget."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import build_deployment
from mcp_operator.builders.scaling import build_autoscaler, build_disruption_budget
from support.servers import server


def autoscaler(**fields: Any) -> dict[str, Any]:
    built = build_autoscaler(server(autoscaling={"maxReplicas": 5, **fields}))
    assert built is not None
    spec: dict[str, Any] = built["spec"]
    return spec


def budget(**spec: Any) -> dict[str, Any] | None:
    built = build_disruption_budget(server(**spec))
    if built is None:
        return None
    return {name: value for name, value in built["spec"].items() if name != "selector"}


def test_no_autoscaler_is_built_by_default() -> None:
    assert build_autoscaler(server()) is None


def test_an_autoscaler_has_the_bounds_and_the_cpu_target_of_the_spec() -> None:
    assert autoscaler() == {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "mcp-server-shop",
        },
        "minReplicas": 2,
        "maxReplicas": 5,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 80},
                },
            }
        ],
    }
    given = autoscaler(minReplicas=1, targetCPUUtilizationPercentage=50)
    assert given["minReplicas"] == 1
    assert given["metrics"][0]["resource"]["target"]["averageUtilization"] == 50


def test_an_autoscaler_has_only_the_given_behavior() -> None:
    policy = {"type": "Pods", "value": 2, "periodSeconds": 60}
    behavior = {
        "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [policy]},
        "scaleDown": {"selectPolicy": "Disabled"},
    }

    assert autoscaler(behavior=behavior)["behavior"] == behavior
    assert "behavior" not in autoscaler(behavior={"scaleUp": {}})


def test_an_autoscaled_server_requests_cpu_even_with_empty_resources() -> None:
    deployment = build_deployment(
        server(autoscaling={"maxReplicas": 5}, resources={}),
        BuildContext(gateway_image="gateway:1"),
    )
    [container] = deployment["spec"]["template"]["spec"]["containers"]

    assert "cpu" in container["resources"]["requests"]


@pytest.mark.parametrize(
    "spec",
    [{"replicas": 2}, {"replicas": 200}, {"autoscaling": {"minReplicas": 1, "maxReplicas": 2}}],
)
def test_with_two_or_more_pods_at_most_one_is_unavailable(spec: dict[str, Any]) -> None:
    assert budget(**spec) == {
        "maxUnavailable": 1,
        "minAvailable": None,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


@pytest.mark.parametrize("spec", [{}, {"replicas": 0}, {"autoscaling": {"maxReplicas": 1}}])
def test_a_server_with_a_single_pod_has_no_disruption_budget(spec: dict[str, Any]) -> None:
    assert budget(podDisruptionBudget={"minAvailable": 1}, **spec) is None


@pytest.mark.parametrize(
    "limit", [{"minAvailable": "50%"}, {"minAvailable": 0}, {"maxUnavailable": 0}]
)
def test_a_given_limit_replaces_the_default_of_the_disruption_budget(limit: dict[str, Any]) -> None:
    found = budget(replicas=3, podDisruptionBudget=limit)

    # The API server rejects both: null removes the other one if someone set it.
    limits = {"minAvailable": None, "maxUnavailable": None} | limit
    assert found == {**limits, "unhealthyPodEvictionPolicy": "AlwaysAllow"}


def test_a_disruption_budget_can_be_disabled() -> None:
    assert budget(replicas=3, podDisruptionBudget={"enabled": False, "minAvailable": 1}) is None


def test_a_disruption_budget_selects_the_pods_of_its_server() -> None:
    built = build_disruption_budget(server(replicas=2))
    deployment = build_deployment(server(), BuildContext(gateway_image="gateway:1"))

    assert built is not None
    assert built["spec"]["selector"] == deployment["spec"]["selector"]
