"""Objects without an owner that a server adopts, and those that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.children import Child
from mcp_operator.builders.labels import HASH_ANNOTATION, child_labels
from mcp_operator.builders.resources import DEPLOYMENTS, SERVICEACCOUNTS, SERVICES
from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.controllers.ownership import Adoption, OwnerGoneError, orphaned_by
from mcp_operator.core.meta import Key, Object, Resource, is_controlled_by, owner_reference
from mcp_operator.runtime.apply import Applier
from support.cached_cluster import CachedCluster
from support.desired import FIXED, NAME, child, verbs

SHOP = Key("demo", "shop")


@pytest.fixture
def children(cluster: CachedCluster) -> ChildrenApplier:
    """A client and caches as in the operator, so that an orphan can be adopted."""
    applier = Applier(cluster, hash_annotation=HASH_ANNOTATION, may_adopt=Adoption(cluster))
    return ChildrenApplier(cluster.cache, applier, cluster)


def orphan(name: str = NAME.name, **changes: Any) -> Object:
    """Return the metadata of a child of the server `shop` without an owner."""
    return {
        "name": name,
        "namespace": "demo",
        "labels": child_labels("shop", "Gateway"),
        "annotations": {HASH_ANNOTATION: "0123"},
        **changes,
    }


@pytest.mark.parametrize(
    "name", ["mcp-server-shop", "mcp-server-shop-config", "mcp-server-shop-config-12"]
)
def test_a_child_without_an_owner_is_identified_by_its_labels_and_name(name: str) -> None:
    assert orphaned_by({"metadata": orphan(name)}) == SHOP


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": None},
        {"labels": child_labels("other", "Gateway")},
        {"labels": child_labels("shop", "Gateway") | {"app.kubernetes.io/managed-by": "Helm"}},
        {"annotations": None},
        {"annotations": {HASH_ANNOTATION: ""}},
        {"name": "mcp-server-shop-2"},
        {"name": "mcp-server-shop-config-"},
        {"name": "mcp-server-shop-config-01"},
        {"name": "prefix-mcp-server-shop"},
        {"ownerReferences": [{"kind": "ConfigMap", "name": "x", "uid": "x"}]},
        {"ownerReferences": [{"kind": "MCPServer", "name": "shop", "uid": "of a former one"}]},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_an_object_with_an_owner_or_without_the_labels_is_not_an_orphan(changes: Object) -> None:
    assert orphaned_by({"metadata": orphan() | changes}) is None


@pytest.mark.parametrize("resource", [DEPLOYMENTS, SERVICEACCOUNTS])
async def test_an_orphan_is_adopted_in_one_write_and_keeps_its_uid(
    resource: Resource, cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    before = put(cluster, resource, orphan())

    outcome = await children.apply(owner, [child(resource, replicas=3)])

    assert (outcome.conflicts, outcome.error) == ((), None)
    assert verbs(cluster) == [("apply", resource.kind)]
    judged = cluster.writes[0][1]["metadata"]
    assert judged["resourceVersion"] == before["metadata"]["resourceVersion"]
    live = cluster.objects[resource, NAME]
    assert is_controlled_by(live, owner)
    assert live["metadata"]["uid"] == before["metadata"]["uid"]


async def test_an_adopted_child_is_not_written_again(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    put(cluster, DEPLOYMENTS, orphan())
    wanted = [Child(DEPLOYMENTS, labeled(FIXED[0].object))]
    await children.apply(owner, wanted)
    cluster.writes.clear()

    await children.apply(owner, wanted)

    assert cluster.writes == []
    drift = cluster.metrics.registry.get_sample_value(
        "drift_corrected_total", {"kind": "Deployment"}
    )
    assert not drift


async def test_an_orphan_that_is_not_desired_is_deleted(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    put(cluster, SERVICES, orphan())
    other = put(cluster, DEPLOYMENTS, orphan(labels=child_labels("other", "Gateway")))

    await children.apply(owner, [])

    assert verbs(cluster) == [("delete", "Service")]
    assert cluster.objects[DEPLOYMENTS, NAME] == other


async def test_nothing_is_adopted_when_the_server_no_longer_exists(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    put(cluster, DEPLOYMENTS, orphan())
    metadata = {**owner["metadata"], "uid": "that of its successor"}
    cluster.objects[MCPSERVERS, SHOP] = {**owner, "metadata": metadata}

    with pytest.raises(OwnerGoneError):
        await children.apply(owner, FIXED)

    assert cluster.writes == []


async def test_a_child_of_a_deleted_server_is_not_adopted(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    former = {**owner, "metadata": {**owner["metadata"], "uid": "of a former one"}}
    put(cluster, DEPLOYMENTS, orphan(ownerReferences=[owner_reference(former)]))

    outcome = await children.apply(owner, FIXED)

    assert [conflict.owner for conflict in outcome.conflicts] == ["MCPServer shop"]
    assert cluster.writes == []


def put(cluster: CachedCluster, resource: Resource, metadata: Object) -> Object:
    """Add an object that someone restored, which the caches have if its labels match."""
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    restored = cluster._store(resource, {**head, "metadata": metadata, "spec": {"replicas": 3}})
    cluster.writes.clear()
    return restored


def labeled(desired: Object) -> Object:
    return {**desired, "metadata": desired["metadata"] | {"labels": orphan()["labels"]}}
