"""Pod templates and labels that meet the rules of a cluster."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from mcp_operator.api.v1alpha1.podtemplate import PodTemplate
from mcp_operator.builders.resources import CHILDREN, DEPLOYMENTS, SERVICES
from mcp_operator.core.meta import Object, Resource, labels_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.controlplane import Cluster
from support.manifests import featured_manifests
from support.operators import CONTEXT, Operator, running_operator
from support.shop import Shop
from support.waiting import eventually

POLICIES = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
)
BINDINGS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)
PODS = Resource("", "v1", "pods", "Pod")

NEEDS_COST_CENTER = (
    "'cost-center' in object.metadata.?labels.orValue({}) "
    "&& 'cost-center' in object.spec.template.metadata.?labels.orValue({})"
)
RANGE_OF_OPENSHIFT = (
    "!has(object.spec.securityContext.runAsUser) || "
    "(object.spec.securityContext.runAsUser >= 1000650000 "
    "&& object.spec.securityContext.runAsUser <= 1000659999)"
)
"""`MustRunAsRange` of the SecurityContextConstraints `restricted-v2` of OpenShift."""

FEATURED = {
    obj["metadata"]["name"]: obj["spec"]
    for _, obj in featured_manifests()
    if obj["kind"] == "MCPServer"
}

INSTALLATION = replace(
    CONTEXT,
    pod_template=PodTemplate.model_validate(
        {
            "metadata": {"labels": {"managed": "platform"}},
            "spec": {
                "tolerations": [{"key": "dedicated", "operator": "Exists"}],
                "imagePullSecrets": [{"name": "registry"}],
            },
        }
    ),
    passed_labels=("cost-center",),
    passed_annotations=("example.com/*",),
)


@pytest.fixture
async def operator(control_plane: Cluster, shop: Shop) -> AsyncIterator[Operator]:
    """An operator whose installation sets a pod template and passes labels on."""
    async with running_operator(
        control_plane.kubeconfig, shop.namespace, context=INSTALLATION
    ) as operator:
        yield operator


async def enforce(client: Client, namespace: str, kind: tuple[str, str], expression: str) -> None:
    """Create a policy that refuses, in one namespace, objects that fail an expression."""
    group, plural = kind
    name = f"{namespace}-{plural}"
    rules = [
        {
            "apiGroups": [group],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": [plural],
        }
    ]
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    head = {"apiVersion": POLICIES.api_version, "metadata": {"name": name}}
    await client.create(
        POLICIES,
        head
        | {
            "kind": POLICIES.kind,
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"namespaceSelector": where, "resourceRules": rules},
                "validations": [{"expression": expression, "message": "against the policy"}],
            },
        },
    )
    spec = {"policyName": name, "validationActions": ["Deny"]}
    await client.create(BINDINGS, head | {"kind": BINDINGS.kind, "spec": spec})


async def refused(client: Client, resource: Resource, obj: Object) -> bool:
    """Return whether a policy refuses an object, in a dry run."""
    namespace = obj["metadata"]["namespace"]
    try:
        path = resource.path(namespace)
        await client.request("POST", path, query={"dryRun": "All"}, body=obj)
    except ApiError as error:
        if "against the policy" not in error.message:
            raise
        return True
    return False


async def deployment(shop: Shop, server: str) -> Object:
    """Wait for the Deployment of a server."""

    async def is_there() -> bool:
        return await shop.find(DEPLOYMENTS, f"mcp-server-{server}") is not None

    await eventually(is_there, expected=True)
    found = await shop.find(DEPLOYMENTS, f"mcp-server-{server}")
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["placed-gateway", "placed-server"])
async def test_a_pod_template_with_every_field_is_applied_and_then_causes_no_writes(
    operator: Operator, shop: Shop, name: str
) -> None:
    await shop.create("ServiceAccount", "shop-identity", labels={"mcp-operator.dev/usable": "true"})
    await shop.create("MCPServer", name, spec=FEATURED[name])
    built = await deployment(shop, name)
    await operator.settled(shop.client)
    operator.forget_requests()
    await operator.resync()
    await operator.settled(shop.client)

    assert operator.writes == []
    template = FEATURED[name]["podTemplate"]
    pod = built["spec"]["template"]["spec"]
    for field, value in template["spec"].items():
        if field not in ("securityContext", "volumes"):
            assert holds(pod[field], value), field
    assert {volume["name"] for volume in template["spec"]["volumes"]} <= {
        volume["name"] for volume in pod["volumes"]
    }
    assert pod["securityContext"]["runAsNonRoot"] is True


def holds(live: Any, said: Any) -> bool:
    """Return whether a live value has every specified field; the API server adds defaults."""
    if isinstance(said, dict):
        return all(name in live and holds(live[name], value) for name, value in said.items())
    if isinstance(said, list):
        return len(live) == len(said) and all(map(holds, live, said))
    return bool(live == said)


async def test_passed_labels_of_the_server_satisfy_a_policy_about_labels(
    operator: Operator, shop: Shop, client: Client
) -> None:
    await enforce(client, shop.namespace, ("apps", "deployments"), NEEDS_COST_CENTER)
    bare = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bare", "namespace": shop.namespace},
        "spec": {
            "selector": {"matchLabels": {"app": "bare"}},
            "template": {
                "metadata": {"labels": {"app": "bare"}},
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    }
    await eventually(functools.partial(refused, client, DEPLOYMENTS, bare), expected=True)

    await shop.create(
        "MCPServer",
        "shop",
        labels={"cost-center": "42", "team": "a"},
        spec={"toolSelector": {"matchLabels": {"team": "a"}}},
    )
    built = await deployment(shop, "shop")
    template = built["spec"]["template"]
    assert template["metadata"]["labels"]["cost-center"] == "42"
    assert template["metadata"]["labels"]["managed"] == "platform"
    assert template["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    service = await shop.find(SERVICES, "mcp-server-shop")
    assert service is None or labels_of(service)["cost-center"] == "42"


async def test_a_changed_label_of_a_server_is_passed_to_every_child(
    operator: Operator, shop: Shop
) -> None:
    await shop.server("shop")
    await deployment(shop, "shop")
    await operator.settled(shop.client)
    await shop.patch("MCPServer", "shop", metadata={"labels": {"cost-center": "43"}})

    async def labeled() -> set[str | None]:
        found = [await shop.find(kind, "mcp-server-shop") for kind in CHILDREN]
        return {labels_of(child).get("cost-center") for child in found if child is not None}

    await eventually(labeled, {"43"})


@pytest.mark.parametrize(
    "spec",
    [{}, {"image": "mine:1", "podTemplate": {"spec": {"securityContext": {}}}}],
    ids=["gateway", "own image"],
)
async def test_pods_satisfy_a_policy_that_restricts_user_ids_to_a_range(
    operator: Operator, shop: Shop, client: Client, spec: dict[str, Any]
) -> None:
    await enforce(client, shop.namespace, ("", "pods"), RANGE_OF_OPENSHIFT)
    await shop.server("shop", **spec)
    template = (await deployment(shop, "shop"))["spec"]["template"]
    metadata = {"name": "shop", "namespace": shop.namespace, **template["metadata"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    fixed = {**template["spec"], "securityContext": {"runAsUser": 10001}}
    await eventually(
        functools.partial(refused, client, PODS, {**pod, "spec": fixed}), expected=True
    )

    assert not await refused(client, PODS, pod)


async def test_a_service_account_of_the_user_is_used_only_while_its_label_allows_it(
    operator: Operator, shop: Shop
) -> None:
    del operator  # it only has to run
    await shop.create("ServiceAccount", "identity")
    await shop.server("red", podTemplate={"spec": {"serviceAccountName": "identity"}})
    await shop.wait_for_reason("MCPServer", "red", "Ready", "ServiceAccountNotUsable")

    async def label(value: str | None) -> None:
        labels = {"mcp-operator.dev/usable": value}
        await shop.patch("ServiceAccount", "identity", metadata={"labels": labels})

    await label("true")
    await shop.wait_for_reason("MCPServer", "red", "ResolvedRefs", "ResolvedRefs")
    made = await deployment(shop, "red")
    assert made["spec"]["template"]["spec"]["serviceAccountName"] == "identity"
    await label(None)
    await shop.wait_for_reason("MCPServer", "red", "ResolvedRefs", "ServiceAccountNotUsable")
    await label("true")
    await shop.wait_for_reason("MCPServer", "red", "ResolvedRefs", "ResolvedRefs")
    await shop.delete("ServiceAccount", "identity")
    await shop.wait_for_reason("MCPServer", "red", "ResolvedRefs", "ServiceAccountNotUsable")
