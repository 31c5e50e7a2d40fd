"""Invalid values are refused by Helm 3 and Helm 4 with an error that names the key."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.core.meta import Object
from support.helm import Helm, HelmError


def nested(key: str, value: Any) -> Object:
    """Return values in which a dotted key has a value."""
    for part in reversed(key.split(".")):
        value = {part: value}
    found: Object = value
    return found


WRONG: list[tuple[str, Any]] = [
    ("watchNamespaces", "team-a"),
    ("watchNamespaces", ["Team_A"]),
    ("watchNamespaceSelector", "team=shop"),
    ("watchNamespaceSelector.matchLabels", {"team": "shop,ops"}),
    ("watchNamespaceSelector.matchLabels", {"team name": "shop"}),
    ("watchNamespaceSelector.matchExpressions", [{"key": "team", "operator": "Gt"}]),
    (
        "watchNamespaceSelector.matchExpressions",
        [{"key": "team", "operator": "In", "values": ["a)"]}],
    ),
    ("config.logLevel", "verbose"),
    ("config.logFormat", "xml"),
    ("config.workers", 0),
    ("config.workers", 65),
    ("config.workers", "four"),
    ("config.bindAddress", "127.0.0.1 "),
    ("config.leaderElect", "yes"),
    ("config.leaseDuration", 0),
    ("config.leaseDuration", "15s"),
    ("config.renewDeadline", -1),
    ("config.retryPeriod", 4000),
    ("crds.install", "true"),
    ("crds.keep", 1),
    ("nameOverride", "Mcp"),
    ("nameOverride", "x" * 54),
    ("fullnameOverride", "mcp_operator"),
    ("fullnameOverride", "1st"),
    ("fullnameOverride", "x" * 54),
    ("namespaceOverride", "a.b"),
    ("commonLabels", ["a=b"]),
    ("commonLabels.replicas", 3),
    ("commonAnnotations.enabled", True),
    ("global.imageRegistry", "https://registry.example.com"),
    ("image.registry", "registry.example.com/"),
    ("image.repository", ""),
    ("image.repository", "Mcp-Operator"),
    ("image.tag", "v1:2"),
    ("image.tag", 1.0),
    ("image.digest", "sha256:abc"),
    ("image.digest", "latest"),
    ("image.pullPolicy", "ifNotPresent"),
    ("gatewayImage", "two images"),
    ("gatewayImagePullPolicy", "Sometimes"),
    ("imagePullSecrets", "registry"),
    ("imagePullSecrets", ["registry"]),
    ("replicaCount", -1),
    ("replicaCount", "2"),
    ("replicaCount", 1.5),
    ("replicaCount", 99),
    ("revisionHistoryLimit", -3),
    ("strategy.type", "Rolling"),
    ("strategy.rollingUpdate.maxSurge", "50"),
    ("terminationGracePeriodSeconds", 30),
    ("resources.limits.memory", "512 MB"),
    ("resources.requests.cpu", "100milli"),
    ("podLabels.version", 1),
    ("podSecurityContext.runAsUser", "root"),
    ("podSecurityContext.seccompProfile.type", "Default"),
    ("securityContext.privileged", "no"),
    ("securityContext.capabilities.drop", "ALL"),
    ("startupProbe.enabled", "off"),
    ("livenessProbe.periodSeconds", 0),
    ("readinessProbe.failureThreshold", 0),
    ("podDisruptionBudget.maxUnavailable", "half"),
    ("podDisruptionBudget.minAvailable", "150%"),
    ("podDisruptionBudget.unhealthyPodEvictionPolicy", "Always"),
    ("topologySpreadConstraints", [{"topologyKey": "zone", "maxSkew": 1}]),
    ("affinity", []),
    ("nodeSelector.gpu", False),
    ("tolerations", [{"key": "a", "operator": "Exist"}]),
    ("priorityClassName", "High Priority"),
    ("serviceAccount.name", "My Account"),
    ("serviceAccount.annotations.a", 1),
    ("rbac.create", "false"),
    ("service.port", 0),
    ("service.port", 70000),
    ("service.ipFamilyPolicy", "DualStack"),
    ("networkPolicy.metricsFrom", [{"cidr": "10.0.0.0/8"}]),
    ("networkPolicy.apiServerTo", [{"ipBlock": {"cidr": "10.0.0.1"}}]),
    ("networkPolicy.apiServerPorts", []),
    ("networkPolicy.extraEgress", [{"from": []}]),
    ("monitoring.renderMode", "never"),
    ("monitoring.interval", "30"),
    ("monitoring.relabelings", [{"source_labels": ["a"]}]),
    ("monitoring.prometheusRule.runbookUrlPrefix", "docs/"),
    ("monitoring.prometheusRule.disabled", ["MCPOperatorAway"]),
    ("monitoring.dashboard.labels", {"grafana_dashboard": 1}),
    ("extraArgs", "--log-level=debug"),
    ("extraEnv", [{"name": "A", "value": 1}]),
    ("extraEnv", {"A": "1"}),
    ("extraEnvFrom", [{"configMap": {"name": "a"}}]),
    ("extraVolumes", [{"name": "a"}]),
    ("extraVolumeMounts", [{"name": "a", "mountPath": "cache"}]),
    ("extraContainers", [{"name": "a"}]),
    ("extraObjects", [{"kind": "ConfigMap"}]),
]


@pytest.mark.parametrize(
    ("key", "value"), WRONG, ids=[f"{key}={value!s:.20}" for key, value in WRONG]
)
def test_an_invalid_value_is_refused_with_its_key(either: Helm, key: str, value: Any) -> None:
    with pytest.raises(HelmError) as refused:
        either.render(nested(key, value))
    said = str(refused.value).replace("/", ".")
    assert key in said or (f"{key.rpartition('.')[0]}" in said and key.rpartition(".")[2] in said)


@pytest.mark.parametrize(
    ("key", "value", "accepted"),
    [
        ("config.logLevel", "verbose", ("debug", "info", "warning", "error")),
        ("image.pullPolicy", "ifNotPresent", ("Always", "IfNotPresent", "Never")),
        ("monitoring.renderMode", "never", ("skipIfMissing", "failIfMissing", "always")),
    ],
)
def test_the_error_for_an_invalid_choice_lists_the_valid_ones(
    either: Helm, key: str, value: str, accepted: tuple[str, ...]
) -> None:
    with pytest.raises(HelmError) as refused:
        either.render(nested(key, value))
    assert all(choice in str(refused.value) for choice in accepted)
