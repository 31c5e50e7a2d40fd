from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.podtemplate import PodTemplate
from mcp_operator.builders.children import build_children
from mcp_operator.builders.cluster_facts import ClusterFacts
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import build_deployment
from mcp_operator.builders.server_catalog import build_server_catalog
from mcp_operator.core.meta import Object
from support.manifests import featured_manifests
from support.podsecurity import violations
from support.servers import server

TOLERATIONS = [{"key": "dedicated", "operator": "Exists"}]
DIRECT = {"image": "own/server:1"}


def deployment(
    template: Any = None, installation: Any = None, *, labels: Any = None, **spec: Any
) -> Object:
    """Build a Deployment from what a server says of its pods, and what the installation says."""
    context = BuildContext(
        "gateway:1",
        pod_template=PodTemplate.model_validate(installation or {}),
        passed_labels=("cost-center", "example.com/*"),
    )
    own = server(podTemplate=template or {}, **spec)
    if labels:
        own = own.model_copy(update={"metadata": {**own.metadata, "labels": labels}})
    return build_deployment(own, context)


def pod(*args: Any, **spec: Any) -> Object:
    found: Object = deployment(*args, **spec)["spec"]["template"]["spec"]
    return found


def test_labels_and_annotations_are_those_of_the_deployment_and_of_its_pods() -> None:
    metadata = {"labels": {"cost-center": "42"}, "annotations": {"owner": "team"}}
    built = deployment({"metadata": metadata}, replicas=1)

    for meta in (built["metadata"], built["spec"]["template"]["metadata"]):
        assert meta["labels"]["cost-center"] == "42"
        assert meta["labels"]["app.kubernetes.io/instance"] == "shop"
        assert meta["annotations"] == {"owner": "team"}
    assert "cost-center" not in built["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("spec", [{}, DIRECT], ids=["gateway", "direct"])
def test_what_the_installation_says_holds_for_every_server(spec: dict[str, Any]) -> None:
    said = {"tolerations": TOLERATIONS, "imagePullSecrets": [{"name": "registry"}]}
    built = pod(None, {"spec": said}, **spec)

    assert {name: built[name] for name in said} == said


def test_a_server_decides_over_the_installation_and_adds_to_its_maps() -> None:
    built = deployment(
        {
            "metadata": {"labels": {"tier": "gold"}},
            "spec": {"tolerations": [], "nodeSelector": {"pool": "ai", "disk": "ssd"}},
        },
        {
            "metadata": {"labels": {"tier": "none", "team": "platform"}},
            "spec": {"tolerations": TOLERATIONS, "nodeSelector": {"pool": "any", "arch": "arm64"}},
        },
    )
    template = built["spec"]["template"]

    assert template["metadata"]["labels"].items() >= {"tier": "gold", "team": "platform"}.items()
    assert template["spec"]["tolerations"] == []
    assert template["spec"]["nodeSelector"] == {"pool": "ai", "disk": "ssd", "arch": "arm64"}


def test_a_server_with_all_node_selectors_it_may_have_gets_the_installations_too() -> None:
    many = {f"label-{number}": "yes" for number in range(64)}
    built = pod({"spec": {"nodeSelector": many}}, {"spec": {"nodeSelector": {"pool": "any"}}})

    assert built["nodeSelector"] == many | {"pool": "any"}


def test_labels_that_the_installation_passes_on_reach_every_child_and_no_others_do() -> None:
    labels = {
        "cost-center": "42",
        "example.com/tier": "gold",
        "team": "a",
        "app.kubernetes.io/instance": "the-application-of-argo-cd",
    }
    own = server()
    own = own.model_copy(update={"metadata": {**own.metadata, "labels": labels}})
    context = BuildContext("gateway:1", passed_labels=("*-center", "example.com/*", "app.*"))
    children = build_children(own, build_server_catalog(own, []), context, ClusterFacts())

    assert len(children) > 4
    for child in children:
        passed = child.object["metadata"]["labels"]
        assert (passed["cost-center"], passed["example.com/tier"]) == ("42", "gold")
        assert "team" not in passed
        assert passed["app.kubernetes.io/instance"] == "shop"
    pods = deployment(labels=labels)["spec"]["template"]["metadata"]["labels"]
    assert (pods["cost-center"], pods["app.kubernetes.io/instance"]) == ("42", "shop")


def test_who_applied_a_server_is_not_passed_on_to_its_children() -> None:
    annotations = {
        "argocd.argoproj.io/tracking-id": "shop:MCPServer:shop/shop",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "kustomize.toolkit.fluxcd.io/checksum": "1",
        "mcp-operator.dev/hash": "1",
        "example.com/owner": "team",
    }
    own = server(replicas=1)
    own = own.model_copy(update={"metadata": {**own.metadata, "annotations": annotations}})
    built = build_deployment(own, BuildContext("gateway:1", passed_annotations=("*",)))

    assert built["metadata"]["annotations"] == {"example.com/owner": "team"}


def test_what_loosens_the_security_of_pods_is_not_passed_on_to_them() -> None:
    annotations = {
        "container.apparmor.security.beta.kubernetes.io/gateway": "unconfined",
        "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
        "deployment.kubernetes.io/revision": "7",
        "example.com/security": "none",
    }
    own = server(replicas=1)
    own = own.model_copy(update={"metadata": {**own.metadata, "annotations": annotations}})
    built = build_deployment(own, BuildContext("gateway:1", passed_annotations=("*",)))

    for meta in (built["metadata"], built["spec"]["template"]["metadata"]):
        assert meta["annotations"] == {"example.com/security": "none"}


def test_a_gateway_runs_as_the_user_of_its_image_so_that_openshift_may_choose_one() -> None:
    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_a_users_own_server_runs_as_an_unprivileged_user_unless_it_says_otherwise() -> None:
    assert pod(**DIRECT)["securityContext"]["runAsUser"] == 10001
    assert "runAsUser" not in pod({"spec": {"securityContext": {}}}, **DIRECT)["securityContext"]
    chosen = pod({"spec": {"securityContext": {"runAsUser": 7}}}, **DIRECT)["securityContext"]
    assert (chosen["runAsUser"], chosen["runAsNonRoot"]) == (7, True)


def test_volumes_are_mounted_beside_the_operators_own() -> None:
    template = {
        "spec": {"volumes": [{"name": "scratch", "emptyDir": {}}]},
        "container": {"volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]},
    }
    gateway = pod(template, tls={"secretName": "cert"})
    assert [volume["name"] for volume in gateway["volumes"]] == ["tls", "scratch"]
    (container,) = gateway["containers"]
    assert [mount["name"] for mount in container["volumeMounts"]] == ["tls", "scratch"]

    direct = pod(template, **DIRECT)
    assert [volume["name"] for volume in direct["volumes"]] == ["config", "scratch"]


def test_a_users_own_server_has_its_own_probes_and_hooks() -> None:
    probe = {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}}
    hook = {"preStop": {"sleep": {"seconds": 1}}}
    template = {"container": {"readinessProbe": probe, "lifecycle": hook}}
    (container,) = pod(template, **DIRECT)["containers"]

    assert container["readinessProbe"] == probe
    assert container["lifecycle"] == hook


@pytest.mark.parametrize(
    ("grace", "lifecycle"), [(3, {"preStop": {"sleep": {"seconds": 2}}}), (1, None)]
)
def test_a_pod_that_has_little_time_for_stopping_stops_sooner(
    grace: int, lifecycle: Object | None
) -> None:
    spec = pod({"spec": {"terminationGracePeriodSeconds": grace}}, **DIRECT)
    assert spec["terminationGracePeriodSeconds"] == grace
    assert spec["containers"][0].get("lifecycle") == lifecycle


def test_what_the_installation_says_of_users_own_servers_leaves_gateways_alone() -> None:
    said = {
        "spec": {"terminationGracePeriodSeconds": 7},
        "container": {"livenessProbe": {"tcpSocket": {"port": "http"}}},
        "containers": [{"name": "exporter", "image": "exporter:1"}],
    }
    plain, gateway = pod(), pod(None, said)

    assert gateway == plain
    direct = pod(None, said, **DIRECT)
    assert direct["terminationGracePeriodSeconds"] == 7
    assert [container["name"] for container in direct["containers"]] == ["server", "exporter"]


FEATURED = {
    obj["metadata"]["name"]: obj for _, obj in featured_manifests() if obj["kind"] == "MCPServer"
}


@pytest.mark.parametrize("name", ["placed-gateway", "placed-server"])
def test_pods_with_everything_that_may_be_said_keep_the_restricted_standard(name: str) -> None:
    obj = FEATURED[name]
    metadata = {**obj["metadata"], "namespace": "demo", "uid": "1"}
    built = build_deployment(
        MCPServer.model_validate({**obj, "metadata": metadata}), BuildContext("gateway:1")
    )

    assert violations(built["spec"]["template"]["spec"]) == []
