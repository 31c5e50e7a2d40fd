"""Rows 12, 14-24, 30 and 37 of the checklist: the objects of the operator."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from mcp_operator.core.meta import LabelSelector, Object
from mcp_operator.runtime.manager import SHUTDOWN_GRACE
from support.helm import CHART, Helm, Library, Rendered
from support.podsecurity import violations

LONGEST_RELEASE = "r" * 53
"""The longest name that Helm accepts."""

RECOMMENDED = {"name", "instance", "version", "component", "part-of", "managed-by"}

EXTRAS: Object = yaml.safe_load((CHART / "ci" / "extras-values.yaml").read_text(encoding="utf-8"))

EVERYTHING: Object = {
    "monitoring": {
        "renderMode": "always",
        "serviceMonitor": {"enabled": True},
        "gatewayPodMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    }
}
"""Values with which every template renders something."""

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


def container(rendered: Rendered) -> Object:
    found: Object = rendered.pod["containers"][0]
    return found


def test_row_12_the_crds_equal_those_of_the_repository(helm4: Library) -> None:
    for obj in helm4.render().of("CustomResourceDefinition"):
        source = CHART.parents[1] / "crds" / f"{obj['spec']['names']['plural']}.yaml"
        assert obj["spec"] == yaml.safe_load(source.read_text(encoding="utf-8"))["spec"]
        assert obj["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert obj["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_row_12_numbers_of_the_crds_are_not_rendered_with_exponents(helm4: Library) -> None:
    text = helm4.render().text
    assert re.findall(r"\d[eE]\+\d", text) == []


def test_row_12_the_crds_can_be_left_out_or_deleted_with_the_release(helm4: Library) -> None:
    assert helm4.render({"crds": {"install": False}}).of("CustomResourceDefinition") == []
    deleted_with_release = helm4.render({"crds": {"keep": False}}).of("CustomResourceDefinition")
    assert len(deleted_with_release) == 4
    assert all("annotations" not in obj["metadata"] for obj in deleted_with_release)


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("mcp-operator", "mcp-operator"),
        ("my-mcp-operator", "my-mcp-operator"),
        ("mcp", "mcp-mcp-operator"),
        ("team.one", "team-one-mcp-operator"),
        ("1st", "mcp-operator-1st"),
    ],
)
def test_row_14_a_name_contains_release_and_chart_once_and_is_a_dns_label(
    helm4: Library, release: str, expected: str
) -> None:
    assert helm4.render(release=release).one("Deployment")["metadata"]["name"] == expected


@pytest.mark.parametrize("release", [LONGEST_RELEASE, "mcp-operator".ljust(53, "x")])
def test_row_14_the_longest_release_name_is_valid_everywhere(helm4: Library, release: str) -> None:
    rendered = helm4.render(EVERYTHING, release=release)
    for obj in rendered.objects:
        name, labels = obj["metadata"]["name"], obj["metadata"].get("labels", {})
        assert len(name) <= 63
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name)
        assert all(len(value) <= 63 for value in labels.values())
    selected = rendered.one("Service")["spec"]["selector"]
    assert selected["app.kubernetes.io/instance"] == release


def test_row_14_long_names_that_differ_at_their_end_stay_different(helm4: Library) -> None:
    one, other = (
        helm4.render(release="r" * 52 + end).one("Deployment")["metadata"]["name"] for end in "ab"
    )
    assert one != other
    assert len(one) == len(other) == 53


def test_row_14_no_two_objects_of_a_release_have_the_same_name(helm4: Library) -> None:
    for release in ("mcp-operator", LONGEST_RELEASE):
        keys = [
            (obj["kind"], obj["metadata"]["name"])
            for obj in helm4.render(EVERYTHING, release=release).objects
        ]
        assert len(keys) == len(set(keys))


def test_row_15_every_object_has_the_recommended_labels(helm4: Library) -> None:
    expected = {f"app.kubernetes.io/{name}" for name in RECOMMENDED} | {"helm.sh/chart"}
    rendered = helm4.render(EVERYTHING)
    template = rendered.one("Deployment")["spec"]["template"]
    for obj in (*rendered.objects, template):
        assert expected <= obj["metadata"]["labels"].keys()


def test_row_15_the_selector_never_changes_and_selects_the_pods(helm4: Library) -> None:
    rendered = helm4.render({"commonLabels": {"a": "b"}, "podLabels": {"c": "d"}})
    deployment = rendered.one("Deployment")
    selector = deployment["spec"]["selector"]
    assert selector == {  # immutable: a change here breaks every upgrade
        "matchLabels": {
            "app.kubernetes.io/name": "mcp-operator",
            "app.kubernetes.io/instance": "mcp-operator",
        }
    }
    assert rendered.one("Service")["spec"]["selector"] == selector["matchLabels"]
    assert rendered.one("PodDisruptionBudget")["spec"]["selector"] == selector
    assert rendered.one("NetworkPolicy")["spec"]["podSelector"] == selector
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert LabelSelector.parse(selector).matches(labels)


def test_row_16_labels_and_annotations_of_the_user_are_rendered_everywhere(
    helm4: Library,
) -> None:
    rendered = helm4.render({**EXTRAS, **EVERYTHING}, namespace="here")
    ours = [obj for obj in rendered.objects if obj["metadata"].get("labels")]
    assert len(ours) == len(rendered.objects) - len(EXTRAS["extraObjects"])
    for obj in ours:
        assert obj["metadata"]["labels"]["example.com/team"] == "here"
        assert obj["metadata"]["annotations"]["example.com/contact"] == "platform"
    pod = rendered.one("Deployment")["spec"]["template"]["metadata"]
    assert pod["labels"]["example.com/tier"] == "control"
    assert pod["annotations"]["example.com/chart"] == "mcp-operator"


def test_row_16_labels_of_the_user_cannot_override_those_of_the_chart(helm4: Library) -> None:
    label = "app.kubernetes.io/instance"
    rendered = helm4.render({"commonLabels": {label: "x"}, "podLabels": {label: "y"}})
    template = rendered.one("Deployment")["spec"]["template"]
    for obj in (*rendered.objects, template):
        assert obj["metadata"]["labels"][label] == "mcp-operator"


def test_row_17_the_namespace_override_applies_to_every_object(helm4: Library) -> None:
    rendered = helm4.render({"namespaceOverride": "elsewhere", **EVERYTHING}, namespace="nowhere")
    for obj in rendered.objects:
        expected = None if obj["kind"] in CLUSTER_WIDE else "elsewhere"
        assert obj["metadata"].get("namespace") == expected, obj["kind"]
    assert "nowhere" not in rendered.text
    assert "nowhere" not in helm4.notes({"namespaceOverride": "elsewhere"}, namespace="nowhere")


DIGEST = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"image": {"registry": "r.example.com:5000"}},
            "r.example.com:5000/mcp-operator/mcp-operator:{}",
        ),
        ({"image": {"repository": "own/op"}}, "ghcr.io/own/op:{}"),
        ({"image": {"tag": "v9"}}, "ghcr.io/mcp-operator/mcp-operator:v9"),
        ({"image": {"tag": "v9", "digest": DIGEST}}, f"ghcr.io/mcp-operator/mcp-operator@{DIGEST}"),
        (
            {"global": {"imageRegistry": "g.example.com"}},
            "g.example.com/mcp-operator/mcp-operator:{}",
        ),
        ({"image": {"registry": "", "repository": "mcp-operator"}}, "mcp-operator:{}"),
    ],
)
def test_row_18_the_image_is_composed_of_values_and_is_also_the_gateway_image(
    helm4: Library, values: Object, expected: str
) -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]
    rendered = helm4.render(values)
    image = container(rendered)["image"]
    assert image == expected.format(version) == rendered.settings["MCP_OPERATOR_GATEWAY_IMAGE"]


def test_row_18_pull_secrets_and_pull_policy_are_applied(helm4: Library) -> None:
    rendered = helm4.render(
        {
            "global": {"imagePullSecrets": [{"name": "all"}]},
            "imagePullSecrets": [{"name": "own"}],
            "image": {"pullPolicy": "Always"},
        }
    )
    assert rendered.pod["imagePullSecrets"] == [{"name": "all"}, {"name": "own"}]
    assert container(rendered)["imagePullPolicy"] == "Always"
    assert rendered.settings["MCP_OPERATOR_GATEWAY_IMAGE_PULL_POLICY"] == "Always"


def test_row_19_the_pods_meet_the_restricted_pod_security_standard(helm4: Library) -> None:
    rendered = helm4.render()
    assert violations(rendered.pod) == []
    assert rendered.pod["securityContext"]["runAsUser"] >= 10000
    assert container(rendered)["securityContext"]["readOnlyRootFilesystem"] is True


def test_row_19_user_and_group_ids_can_be_left_out(
    either: Helm,
) -> None:
    rendered = either.render({"podSecurityContext": {"runAsUser": None, "runAsGroup": None}})
    assert rendered.pod["securityContext"].keys() == {"runAsNonRoot", "seccompProfile"}
    assert violations(rendered.pod) == []


def test_row_20_all_three_probes_are_enabled_and_readiness_has_its_own_path(helm4: Library) -> None:
    probes = {
        name: probe for name, probe in container(helm4.render()).items() if name.endswith("Probe")
    }
    paths = {name: probe["httpGet"]["path"] for name, probe in probes.items()}
    assert paths == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {"health"}
    starting = probes["startupProbe"]
    assert starting["periodSeconds"] * starting["failureThreshold"] >= 60


def test_row_20_each_probe_can_be_disabled(helm4: Library) -> None:
    off: Object = {
        name: {"enabled": False} for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert [key for key in container(helm4.render(off)) if key.endswith("Probe")] == []


def test_row_21_the_disruption_budget_allows_one_pod_and_evicts_unhealthy_pods(
    helm4: Library,
) -> None:
    budget = helm4.render().one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    other = helm4.render({"replicaCount": 3, "podDisruptionBudget": {"minAvailable": "50%"}})
    assert other.one("PodDisruptionBudget")["spec"]["minAvailable"] == "50%"
    assert "maxUnavailable" not in other.one("PodDisruptionBudget")["spec"]


@pytest.mark.parametrize(
    "values",
    [{"replicaCount": 1}, {"replicaCount": 0}, {"podDisruptionBudget": {"enabled": False}}],
)
def test_row_21_there_is_no_budget_for_less_than_two_replicas_or_if_disabled(
    helm4: Library, values: Object
) -> None:
    assert helm4.render(values).of("PodDisruptionBudget") == []


def test_row_22_pods_spread_over_nodes_and_zones(helm4: Library) -> None:
    rendered = helm4.render()
    constraints = rendered.pod["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    for one in constraints:
        assert one["labelSelector"] == rendered.one("Deployment")["spec"]["selector"]


def test_row_22_scheduling_fields_can_be_set(helm4: Library) -> None:
    own = {
        "maxSkew": 2,
        "topologyKey": "rack",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"own": "label"}},
    }
    values: Object = {
        "affinity": EXTRAS["affinity"],
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "priorityClassName": "system-cluster-critical",
        "topologySpreadConstraints": [own],
    }
    pod = helm4.render(values).pod
    assert {key: pod.get(key) for key in values} == values


def test_row_23_rollouts_surge_and_the_grace_period_exceeds_the_shutdown_time(
    helm4: Library,
) -> None:
    spec = helm4.render().one("Deployment")["spec"]
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    assert spec["revisionHistoryLimit"] == 3
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > SHUTDOWN_GRACE
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"]["terminationGracePeriodSeconds"]["minimum"] > SHUTDOWN_GRACE


def test_row_24_cpu_and_memory_have_requests_and_limits(helm4: Library) -> None:
    resources = container(helm4.render())["resources"]
    assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}


def test_row_30_the_service_account_is_created_or_given(helm4: Library) -> None:
    account = helm4.render(
        {"serviceAccount": {"name": "own", "annotations": {"a": "{{ .Release.Name }}"}}}
    )
    assert account.one("ServiceAccount")["metadata"]["name"] == "own"
    assert account.one("ServiceAccount")["metadata"]["annotations"] == {"a": "mcp-operator"}
    given = helm4.render({"serviceAccount": {"create": False, "name": "given"}})
    assert given.of("ServiceAccount") == []
    assert given.pod["serviceAccountName"] == "given"
    subjects = [
        subject["name"]
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for binding in given.of(kind)
        for subject in binding["subjects"]
    ]
    assert subjects == ["given", "given", "given"]


def test_row_30_only_the_pods_of_the_operator_mount_the_token(helm4: Library) -> None:
    rendered = helm4.render()
    assert rendered.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendered.pod["automountServiceAccountToken"] is True
    assert rendered.pod["enableServiceLinks"] is False


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("env", "extraEnv"),
        ("volumeMounts", "extraVolumeMounts"),
        ("envFrom", "extraEnvFrom"),
        ("args", "extraArgs"),
    ],
)
def test_row_37_extra_values_are_added_to_the_container(
    helm4: Library, place: str, name: str
) -> None:
    found: list[Any] = container(helm4.render(EXTRAS))[place]
    assert found[-len(EXTRAS[name]) :] == EXTRAS[name]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("volumes", "extraVolumes"),
        ("initContainers", "extraInitContainers"),
        ("containers", "extraContainers"),
    ],
)
def test_row_37_extra_values_are_added_to_the_pod(helm4: Library, place: str, name: str) -> None:
    assert helm4.render(EXTRAS).pod[place][-1:] == EXTRAS[name]


def test_row_37_extra_objects_are_added_and_rendered_as_templates(helm4: Library) -> None:
    rendered = helm4.render(EXTRAS, release="shop")
    added = rendered.one("ConfigMap", "shop-proxy")
    assert added["data"] == EXTRAS["extraObjects"][0]["data"]
    assert rendered.one("ConfigMap", "operator-more")
