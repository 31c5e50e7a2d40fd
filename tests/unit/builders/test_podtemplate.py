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
    """Build a Deployment from the pod template of a server and the default of the installation."""
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


def test_labels_and_annotations_are_set_on_the_deployment_and_on_its_pods() -> None:
    metadata = {"labels": {"cost-center": "42"}, "annotations": {"owner": "team"}}
    built = deployment({"metadata": metadata}, replicas=1)

    for meta in (built["metadata"], built["spec"]["template"]["metadata"]):
        assert meta["labels"]["cost-center"] == "42"
        assert meta["labels"]["app.kubernetes.io/instance"] == "shop"
        assert meta["annotations"] == {"owner": "team"}
    assert "cost-center" not in built["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("spec", [{}, DIRECT], ids=["gateway", "direct"])
def test_the_pod_template_of_the_installation_applies_to_every_server(spec: dict[str, Any]) -> None:
    said = {"tolerations": TOLERATIONS, "imagePullSecrets": [{"name": "registry"}]}
    built = pod(None, {"spec": said}, **spec)

    assert {name: built[name] for name in said} == said


def test_the_template_of_a_server_overrides_the_installation_and_merges_maps() -> None:
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


def test_node_selectors_of_the_installation_are_added_to_the_maximum_of_a_server() -> None:
    many = {f"label-{number}": "yes" for number in range(64)}
    built = pod({"spec": {"nodeSelector": many}}, {"spec": {"nodeSelector": {"pool": "any"}}})

    assert built["nodeSelector"] == many | {"pool": "any"}


def test_only_labels_that_the_installation_passes_on_reach_the_children() -> None:
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


def test_annotations_of_tools_that_applied_a_server_are_not_passed_on() -> None:
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


def test_annotations_that_weaken_pod_security_are_not_passed_on() -> None:
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


def test_a_gateway_sets_no_user_so_that_openshift_can_choose_one() -> None:
    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_a_direct_server_runs_as_an_unprivileged_user_by_default() -> None:
    assert pod(**DIRECT)["securityContext"]["runAsUser"] == 10001
    assert "runAsUser" not in pod({"spec": {"securityContext": {}}}, **DIRECT)["securityContext"]
    chosen = pod({"spec": {"securityContext": {"runAsUser": 7}}}, **DIRECT)["securityContext"]
    assert (chosen["runAsUser"], chosen["runAsNonRoot"]) == (7, True)


def test_volumes_of_the_template_are_mounted_along_with_those_of_the_operator() -> None:
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


def test_a_direct_server_can_set_probes_and_hooks() -> None:
    probe = {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}}
    hook = {"preStop": {"sleep": {"seconds": 1}}}
    template = {"container": {"readinessProbe": probe, "lifecycle": hook}}
    (container,) = pod(template, **DIRECT)["containers"]

    assert container["readinessProbe"] == probe
    assert container["lifecycle"] == hook


@pytest.mark.parametrize(
    ("grace", "lifecycle"), [(3, {"preStop": {"sleep": {"seconds": 2}}}), (1, None)]
)
def test_a_short_grace_period_shortens_or_removes_the_prestop_hook(
    grace: int, lifecycle: Object | None
) -> None:
    spec = pod({"spec": {"terminationGracePeriodSeconds": grace}}, **DIRECT)
    assert spec["terminationGracePeriodSeconds"] == grace
    assert spec["containers"][0].get("lifecycle") == lifecycle


def test_settings_of_the_installation_for_direct_servers_do_not_change_gateways() -> None:
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
def test_pods_with_every_template_field_meet_the_restricted_standard(name: str) -> None:
    obj = FEATURED[name]
    metadata = {**obj["metadata"], "namespace": "demo", "uid": "1"}
    built = build_deployment(
        MCPServer.model_validate({**obj, "metadata": metadata}), BuildContext("gateway:1")
    )

    assert violations(built["spec"]["template"]["spec"]) == []
