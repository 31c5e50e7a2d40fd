"""Properties of the objects that every kustomization builds."""

from __future__ import annotations

import re

import pytest

from mcp_operator.core.meta import Object
from mcp_operator.settings import OperatorSettings
from mcp_operator.settings.loading import ENVIRONMENT_PREFIX, load
from mcp_operator.version import VERSION
from support.installations import COMPONENTS, EVERYTHING, OPERATORS, OVERLAYS, Build
from support.kustomize import MANIFESTS
from support.workloads import containers, environment, named, of_kind

RECOMMENDED = {
    f"app.kubernetes.io/{name}"
    for name in ("name", "instance", "component", "part-of", "managed-by")
}
SPREAD = "topologySpreadConstraints"
SELECTING = {"app.kubernetes.io/name", "app.kubernetes.io/instance"}

each_kustomization = pytest.mark.parametrize("name", EVERYTHING)
each_with_an_operator = pytest.mark.parametrize("name", OPERATORS)


def operator(objects: list[Object]) -> Object:
    return named(objects, "Deployment", "mcp-operator")


def test_every_overlay_and_component_is_tested() -> None:
    overlays = {f"overlays/{folder.name}" for folder in (MANIFESTS / "overlays").iterdir()}
    assert overlays == set(OVERLAYS) - {"base"}
    assert {folder.name for folder in (MANIFESTS / "components").iterdir()} == set(COMPONENTS)


@each_kustomization
def test_every_object_has_the_recommended_labels(build: Build, name: str) -> None:
    lacking = {
        f"{obj['kind']} {obj['metadata']['name']}": RECOMMENDED - set(obj["metadata"]["labels"])
        for obj in build(name)
    }
    assert {who: labels for who, labels in lacking.items() if labels} == {}


@each_kustomization
def test_names_are_short_enough_and_unique(build: Build, name: str) -> None:
    objects = build(name)
    keys = [(obj["kind"], obj["metadata"]["name"]) for obj in objects]
    assert len(set(keys)) == len(keys)
    assert [key for key in keys if len(key[1]) > 63] == []


@each_kustomization
def test_selectors_use_only_name_and_instance_and_match_the_pods(build: Build, name: str) -> None:
    for deployment in of_kind(build(name), "Deployment"):
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert set(selector) == SELECTING
        assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


@each_kustomization
def test_every_container_is_hardened(build: Build, name: str) -> None:
    for deployment in of_kind(build(name), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] >= 10000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    for _, container in containers(build(name)):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


@each_kustomization
def test_every_container_has_requests_limits_and_three_probes(build: Build, name: str) -> None:
    for who, container in containers(build(name)):
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}, who
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}, who
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), who


@each_kustomization
def test_only_the_operator_mounts_a_token(build: Build, name: str) -> None:
    for deployment in of_kind(build(name), "Deployment"):
        own = deployment["metadata"]["name"] == "mcp-operator"
        assert deployment["spec"]["template"]["spec"]["automountServiceAccountToken"] is own
    for account in of_kind(build(name), "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@each_with_an_operator
def test_liveness_and_readiness_use_different_paths(build: Build, name: str) -> None:
    [(_, container)] = containers(build(name))
    paths = {
        probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")
    }
    assert paths == {"liveness": "/livez", "readiness": "/readyz"}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"metrics": 8080, "health": 8081}


@each_with_an_operator
def test_the_operator_accepts_its_settings(build: Build, name: str) -> None:
    [(_, container)] = containers(build(name))
    given = {
        variable: value if value is not None else "some-namespace"
        for variable, value in environment(container).items()
    }
    known = {ENVIRONMENT_PREFIX + field.upper() for field in OperatorSettings.model_fields}
    assert set(given) - known == {"POD_NAMESPACE"}
    settings = load(OperatorSettings, {}, given)
    assert settings.leader_elect
    assert {settings.metrics_port, settings.health_port} == {8080, 8081}


@each_with_an_operator
def test_the_gateway_image_is_that_of_the_operator(build: Build, name: str) -> None:
    [(_, container)] = containers(build(name))
    assert container["image"] == environment(container)["MCP_OPERATOR_GATEWAY_IMAGE"]


@pytest.mark.parametrize("name", ["base", "overlays/kind", "overlays/production"])
def test_the_image_tag_is_this_version(build: Build, name: str) -> None:
    [(_, container)] = containers(build(name))
    assert re.fullmatch(rf"(\S+/)?mcp-operator:{re.escape(VERSION)}", container["image"])


@each_with_an_operator
def test_the_service_selects_the_pods_and_a_port_of_theirs(build: Build, name: str) -> None:
    objects = build(name)
    service = named(objects, "Service", "mcp-operator")["spec"]
    pod = operator(objects)["spec"]["template"]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    named_ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["ports"]} <= named_ports


@each_with_an_operator
def test_the_disruption_budget_allows_one_pod_and_evicts_unhealthy_pods(
    build: Build, name: str
) -> None:
    objects = build(name)
    budget = named(objects, "PodDisruptionBudget", "mcp-operator")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["selector"] == operator(objects)["spec"]["selector"]


def test_production_has_three_replicas_on_different_nodes_with_a_priority(build: Build) -> None:
    objects = build("overlays/production")
    spec = operator(objects)["spec"]
    pod = spec["template"]["spec"]
    assert spec["replicas"] == 3
    spread = {
        one["topologyKey"]: one["whenUnsatisfiable"] for one in pod["topologySpreadConstraints"]
    }
    assert len(pod["topologySpreadConstraints"]) == len(spread)
    assert spread["kubernetes.io/hostname"] == "DoNotSchedule"
    assert spread["topology.kubernetes.io/zone"] == "ScheduleAnyway"
    assert named(objects, "PriorityClass", pod["priorityClassName"])["value"] < 2_000_000_000


def test_the_base_has_two_replicas(build: Build) -> None:
    assert operator(build("base"))["spec"]["replicas"] == 2


def test_the_field_namespace_moves_every_object(build: Build) -> None:
    moved = build("base", "elsewhere")
    assert {obj["metadata"].get("namespace", "elsewhere") for obj in moved} == {"elsewhere"}
    named(moved, "Namespace", "elsewhere")
    for binding in of_kind(moved, "RoleBinding", "ClusterRoleBinding"):
        assert [subject["namespace"] for subject in binding["subjects"]] == ["elsewhere"]


def test_namespaced_rbac_creates_objects_in_one_namespace_only(build: Build) -> None:
    objects = build("components/namespaced-rbac")
    assert {obj["metadata"].get("namespace") for obj in objects} == {"team-a"}
    assert {obj["kind"] for obj in objects} & {"ClusterRole", "Namespace"} == set()
    variables = operator(objects)["spec"]["template"]["spec"]["containers"][0]["env"]
    [own] = [one for one in variables if one["name"] == "MCP_OPERATOR_NAMESPACES"]
    assert own["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"


def test_named_namespaces_has_no_cluster_role_binding(build: Build) -> None:
    objects = build("components/named-namespaces")
    assert of_kind(objects, "ClusterRoleBinding") == []
    everywhere_ = named(build("base"), "ClusterRole", "mcp-operator")
    assert named(objects, "ClusterRole", "mcp-operator") == everywhere_


def test_namespaced_rbac_grants_the_same_permissions_as_the_base(build: Build) -> None:
    everywhere_ = named(build("base"), "ClusterRole", "mcp-operator")
    here = named(build("components/namespaced-rbac"), "Role", "mcp-operator")
    assert here["rules"] == everywhere_["rules"]
