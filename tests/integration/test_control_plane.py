"""The control plane of the tests behaves as the tests expect."""

from __future__ import annotations

import uuid
from contextlib import aclosing
from pathlib import Path

import pytest

from mcp_operator.core.meta import Key, Object, Resource, key_of, owner_reference
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.connected import NAMESPACES
from support.controlplane import Cluster
from support.kubeconfigs import write_account_kubeconfig
from support.pods import PODS
from support.waiting import hang_guard

CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")


async def deleted(client: Client, resource: Resource, created: Object) -> None:
    """Wait until an object that the API server returned is deleted."""
    key = key_of(created)
    events = client.watch(
        resource,
        namespace=key.namespace,
        field_selector=f"metadata.name={key.name}",
        resource_version=created["metadata"]["resourceVersion"],
    )
    async with hang_guard(), aclosing(events):
        async for event in events:
            if event.type == "DELETED":
                return


@pytest.fixture
def controllers(control_plane: Cluster) -> None:
    if not control_plane.has_controllers:
        pytest.skip("there is no kube-controller-manager")


async def test_an_owned_object_is_deleted_with_its_owner(
    controllers: None, client: Client, namespace: str
) -> None:
    owner = await client.create(CONFIGMAPS, {"metadata": {"name": "owner", "namespace": namespace}})
    metadata = {
        "name": "child",
        "namespace": namespace,
        "ownerReferences": [owner_reference(owner)],
    }
    child = await client.create(CONFIGMAPS, {"metadata": metadata})
    await client.delete(CONFIGMAPS, key_of(owner))
    await deleted(client, CONFIGMAPS, child)


async def test_a_namespace_is_deleted_with_all_its_objects(
    controllers: None, client: Client
) -> None:
    name = f"test-{uuid.uuid4().hex[:10]}"
    namespace = await client.create(NAMESPACES, {"metadata": {"name": name}})
    await client.create(CONFIGMAPS, {"metadata": {"name": "some", "namespace": name}})
    await client.delete(NAMESPACES, Key("", name))
    await deleted(client, NAMESPACES, namespace)


async def test_a_service_account_without_a_role_is_forbidden_to_write(
    control_plane: Cluster,
    client: Client,
    namespace: str,
    metrics: RuntimeMetrics,
    tmp_path: Path,
) -> None:
    await client.create(ACCOUNTS, {"metadata": {"name": "nobody", "namespace": namespace}})
    await write_account_kubeconfig(
        tmp_path / "kubeconfig", client, control_plane.kubeconfig, namespace, "nobody"
    )
    nobody = await Client.connect(
        kubeconfig=tmp_path / "kubeconfig",
        field_manager="nobody",
        user_agent="mcp-operator-tests",
        metrics=metrics,
    )
    try:
        with pytest.raises(ApiError) as refusal:
            await nobody.create(CONFIGMAPS, {"metadata": {"name": "some", "namespace": namespace}})
    finally:
        await nobody.close()
    assert refusal.value.is_forbidden


async def test_pod_security_is_enforced_in_a_namespace_with_the_label(
    client: Client, namespace: str
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await client.merge_patch(NAMESPACES, Key("", namespace), {"metadata": {"labels": labels}})
    await client.create(ACCOUNTS, {"metadata": {"name": "nobody", "namespace": namespace}})
    containers = [{"name": "some", "image": "some"}]
    with pytest.raises(ApiError, match="PodSecurity"):
        await client.create(
            PODS,
            {
                "metadata": {"name": "some", "namespace": namespace},
                "spec": {"serviceAccountName": "nobody", "containers": containers},
            },
        )
