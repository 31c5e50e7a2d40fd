"""A real API server admits every installed object and every pod without warnings."""

from __future__ import annotations

import copy

import pytest

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import build_deployment
from mcp_operator.builders.resources import PODS
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from support.admission import judge
from support.connected import NAMESPACES
from support.installations import ELSEWHERE, EVERYTHING, RESOURCES, Build
from support.manifests import featured_manifests
from support.workloads import named, of_kind


def pod_of(deployment: Object) -> Object:
    """Return the pod that a Deployment creates."""
    template = deployment["spec"]["template"]
    metadata = {"name": "some", "namespace": deployment["metadata"]["namespace"]}
    spec = {**template["spec"], "serviceAccountName": "default"}  # this one exists
    for missing in ("priorityClassName", "runtimeClassName"):  # these classes do not exist
        spec.pop(missing, None)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], **metadata},
        "spec": spec,
    }


@pytest.fixture
async def restricted(build: Build, client: Client, namespace: str) -> str:
    """A namespace with the Pod Security labels of `mcp-system`."""
    labels = named(build("base"), "Namespace", "mcp-system")["metadata"]["labels"]
    await client.merge_patch(NAMESPACES, Key("", namespace), {"metadata": {"labels": labels}})
    return namespace


@pytest.mark.parametrize("way", EVERYTHING)
async def test_every_installed_object_is_admitted_without_warnings(
    build: Build, client: Client, restricted: str, way: str
) -> None:
    objects = [obj for obj in build(way, restricted) if obj["kind"] not in ELSEWHERE]
    verdicts = {
        f"{obj['kind']} {obj['metadata']['name']}": await judge(client, RESOURCES[obj["kind"]], obj)
        for obj in objects
    }
    assert {what: verdict for what, verdict in verdicts.items() if not verdict.is_clean} == {}


@pytest.mark.parametrize("way", EVERYTHING)
async def test_the_installed_pods_are_admitted_at_the_level_restricted(
    build: Build, client: Client, restricted: str, way: str
) -> None:
    for deployment in of_kind(build(way, restricted), "Deployment"):
        verdict = await judge(client, PODS, pod_of(deployment))
        assert verdict.is_clean, verdict


async def test_a_pod_that_violates_the_level_restricted_is_refused(
    build: Build, client: Client, restricted: str
) -> None:
    deployment = copy.deepcopy(named(build("base", restricted), "Deployment", "mcp-operator"))
    del deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["capabilities"]
    warned = await judge(client, RESOURCES["Deployment"], deployment)
    assert warned.status == 200
    assert "would violate PodSecurity" in warned.warnings
    assert (await judge(client, PODS, pod_of(deployment))).status == 403


SERVERS = [obj for _, obj in featured_manifests() if obj["kind"] == "MCPServer"]


@pytest.mark.parametrize("server", SERVERS, ids=[obj["metadata"]["name"] for obj in SERVERS])
async def test_the_pods_of_servers_are_admitted_without_warnings(
    client: Client, restricted: str, server: Object
) -> None:
    metadata = {**server["metadata"], "namespace": restricted, "uid": "some"}
    model = MCPServer.model_validate({**server, "metadata": metadata})
    deployment = build_deployment(model, BuildContext("mcp-operator:test"))
    for resource, obj in ((RESOURCES["Deployment"], deployment), (PODS, pod_of(deployment))):
        verdict = await judge(client, resource, obj)
        assert verdict.is_clean, verdict
