from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import (
    EXIT_SECONDS,
    PRESTOP_SECONDS,
    REPLICAS_ANNOTATION,
    build_deployment,
)
from mcp_operator.core.meta import Object, annotations_of
from support.podsecurity import violations
from support.servers import server

CONTEXT = BuildContext(gateway_image="registry.example/gateway:1")


def pod(**spec: Any) -> dict[str, Any]:
    template = build_deployment(server(**spec), CONTEXT)["spec"]["template"]
    found: dict[str, Any] = template["spec"]
    return found


def container(**spec: Any) -> dict[str, Any]:
    (found,) = pod(**spec)["containers"]
    return dict(found)


def env(**spec: Any) -> dict[str, Any]:
    return {entry["name"]: entry for entry in container(**spec).get("env", [])}


EVERYTHING = {
    "replicas": 3,
    "port": 9000,
    "env": [{"name": "A", "value": "1"}],
    "redis": {"serviceName": "mcp-redis"},
    "ingress": {"host": "shop.example.com"},
    "resources": {"limits": {"memory": "1Gi"}},
}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        EVERYTHING,
        {"mode": "Gateway", "image": "own/gateway:2"},
        {"image": "own/server:1"},
        {**EVERYTHING, "image": "own/server:1", "command": ["serve"], "args": ["--all"]},
    ],
)
def test_every_pod_meets_the_restricted_pod_security_standard(spec: dict[str, Any]) -> None:
    assert violations(pod(**spec)) == []


def test_the_arguments_of_a_gateway_set_its_server_and_ports() -> None:
    gateway = container(port=9000)

    assert gateway["command"] == ["mcp-operator"]
    assert gateway["args"] == [
        "gateway",
        "--namespace=demo",
        "--server=shop",
        "--port=9000",
        "--management-port=8081",
    ]
    assert gateway["ports"] == [
        {"name": "http", "containerPort": 9000, "protocol": "TCP"},
        {"name": "management", "containerPort": 8081, "protocol": "TCP"},
    ]


def test_a_gateway_runs_the_default_image_unless_the_server_names_one() -> None:
    assert container()["image"] == "registry.example/gateway:1"
    assert container()["imagePullPolicy"] == "IfNotPresent"
    own = container(mode="Gateway", image="own/gateway:2", imagePullPolicy="Always")
    assert (own["image"], own["imagePullPolicy"]) == ("own/gateway:2", "Always")


def test_the_probes_of_a_gateway_use_livez_and_readyz_on_the_management_port() -> None:
    gateway = container()
    probes = {kind: gateway[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness")}

    assert {probe["path"] for probe in probes.values()} == {"/livez"}
    assert gateway["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert {probe["port"] for probe in probes.values()} == {"management"}


def test_a_gateway_cannot_write_to_its_root_filesystem() -> None:
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True


def test_only_a_gateway_gets_a_service_account_token() -> None:
    assert pod()["automountServiceAccountToken"] is True
    assert pod(image="own/server:1")["automountServiceAccountToken"] is False
    assert pod()["serviceAccountName"] == "mcp-server-shop"


@pytest.mark.parametrize(("drain", "seconds"), [("30s", 30), ("1500ms", 2), ("2m", 120)])
def test_the_grace_period_covers_prestop_draining_and_the_exit(drain: str, seconds: int) -> None:
    spec = pod(config={"drainTimeout": drain})

    assert spec["terminationGracePeriodSeconds"] == PRESTOP_SECONDS + seconds + EXIT_SECONDS
    assert container()["lifecycle"] == {"preStop": {"sleep": {"seconds": PRESTOP_SECONDS}}}


def test_pods_prefer_to_spread_over_nodes_and_zones() -> None:
    constraints = pod()["topologySpreadConstraints"]

    assert [c["topologyKey"] for c in constraints] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert {c["whenUnsatisfiable"] for c in constraints} == {"ScheduleAnyway"}


def test_given_resources_replace_the_default_resources() -> None:
    assert container()["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"memory": "1Gi"},
    }
    given = {"limits": {"cpu": 1}, "requests": {"memory": "1Gi"}}
    assert container(resources=given)["resources"] == given
    assert container(resources={"limits": {}})["resources"] == container()["resources"]


def test_the_replicas_of_the_deployment_are_those_of_the_spec() -> None:
    for number in (0, 3):
        deployment = build_deployment(server(replicas=number), CONTEXT)
        assert deployment["spec"]["replicas"] == number
        assert REPLICAS_ANNOTATION not in deployment["metadata"].get("annotations", {})


@pytest.mark.parametrize("spec", [{}, {"autoscaling": {"maxReplicas": 3}}])
def test_replicas_are_not_set_when_others_manage_them(spec: dict[str, Any]) -> None:
    deployment = build_deployment(server(**spec), CONTEXT)
    assert "replicas" not in deployment["spec"]
    assert deployment["metadata"]["annotations"] == {REPLICAS_ANNOTATION: "unmanaged"}


def test_a_new_catalog_replaces_pods_only_with_on_change_restart() -> None:
    def annotations(**spec: Any) -> Object:
        own = server(image="own/server:1", **spec)
        return dict(annotations_of(build_deployment(own, CONTEXT, "abc")["spec"]["template"]))

    assert annotations() == {}
    assert annotations(direct={"onChange": "Reload"}) == {}
    restarted = annotations(direct={"onChange": "Restart"})
    assert restarted == {"mcp-operator.dev/catalog-digest": "abc"}


def test_an_update_does_not_delete_a_pod_before_a_new_one_is_ready() -> None:
    strategy = build_deployment(server(), CONTEXT)["spec"]["strategy"]

    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_the_selector_is_the_same_in_both_modes() -> None:
    gateway = build_deployment(server(), CONTEXT)["spec"]
    direct = build_deployment(server(image="own/server:1"), CONTEXT)["spec"]

    assert gateway["selector"] == direct["selector"]
    for spec in (gateway, direct):
        labels = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()


def test_a_direct_server_runs_the_users_command_with_the_files_mounted() -> None:
    direct = container(image="own/server:1", command=["serve"], args=["--port", "9000"], port=9000)

    assert (direct["image"], direct["command"]) == ("own/server:1", ["serve"])
    assert direct["args"] == ["--port", "9000"]
    assert direct["ports"] == [{"name": "http", "containerPort": 9000, "protocol": "TCP"}]
    assert direct["volumeMounts"] == [
        {"name": "config", "mountPath": "/etc/mcp/config", "readOnly": True}
    ]
    assert pod(image="own/server:1")["volumes"] == [
        {"name": "config", "configMap": {"name": "mcp-server-shop-config"}, "emptyDir": None}
    ]


def test_a_direct_server_without_a_command_uses_that_of_its_image() -> None:
    assert not {"command", "args", "imagePullPolicy"} & container(image="own/server:1").keys()
    assert container(image="own/server:1", imagePullPolicy="Never")["imagePullPolicy"] == "Never"


def test_a_direct_server_gets_the_paths_of_its_files_and_its_redis_as_variables() -> None:
    found = env(image="own/server:1", redis={"serviceName": "mcp-redis"})

    assert found["MCP_CONFIG_DIR"]["value"] == "/etc/mcp/config"
    assert found["REDIS_HOST"]["value"] == "mcp-redis"
    assert found["REDIS_PORT"]["value"] == "6379"


def test_the_environment_of_the_user_cannot_override_the_config_directory() -> None:
    own = [{"name": "MCP_CONFIG_DIR", "value": "/data"}]
    entries = container(image="own/server:1", env=own)["env"]

    assert entries == [{"name": "MCP_CONFIG_DIR", "value": "/etc/mcp/config"}]


def test_environment_variables_can_come_from_secrets_config_maps_and_pod_fields() -> None:
    sources = [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "C", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
    ]

    # The API server rejects a value along with valueFrom: null removes one that someone set.
    assert container(env=sources)["env"] == [{**source, "value": None} for source in sources]


def test_the_env_field_is_omitted_when_it_is_unset() -> None:
    assert "env" not in container()


def test_the_certificate_of_a_gateway_with_tls_is_mounted() -> None:
    tls = {"secretName": "shop-tls"}
    (volume,) = pod(tls=tls)["volumes"]
    (mount,) = container(tls=tls)["volumeMounts"]

    assert volume["secret"] == {"secretName": "shop-tls"}
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    assert f"--tls-directory={mount['mountPath']}" in container(tls=tls)["args"]
    assert "volumes" not in pod()
