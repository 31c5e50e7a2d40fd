"""Children are applied and deleted, and an autoscaler takes over the number of replicas."""

from __future__ import annotations

import pytest

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.resources import DEPLOYMENTS
from mcp_operator.controllers.children import REPLICAS_MANAGER, ChildrenApplier
from mcp_operator.controllers.ownership import OwnerGoneError
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.errors import ApiError, Cause
from support.cached_cluster import CachedCluster
from support.desired import FIXED, NAME, SCALED, child, verbs

HAND_OVER = f"apply as {REPLICAS_MANAGER}"


async def test_replicas_are_handed_over_before_they_are_no_longer_applied(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, FIXED)
    cluster.writes.clear()

    await children.apply(owner, SCALED)

    assert verbs(cluster) == [
        (HAND_OVER, "Deployment"),
        ("apply", "Deployment"),
        ("apply", "HorizontalPodAutoscaler"),
    ]
    assert cluster.writes[0][1]["spec"] == {"replicas": 3}


async def test_nothing_is_handed_over_without_a_deployment_or_with_an_autoscaler(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, SCALED)
    await children.apply(owner, SCALED)

    assert verbs(cluster) == [("apply", "Deployment"), ("apply", "HorizontalPodAutoscaler")]


async def test_replicas_are_still_applied_when_the_handover_fails(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, FIXED)
    cluster.writes.clear()
    cluster.failures.append(ApiError(403, "Forbidden", "no"))

    outcome = await children.apply(owner, SCALED)

    assert outcome.error is not None
    assert verbs(cluster) == [(HAND_OVER, "Deployment")]


def vanish(cluster: CachedCluster) -> None:
    cluster.remove("Deployment", NAME.name)
    cluster.writes.clear()


@pytest.fixture
async def applied_twice(cluster: CachedCluster, owner: Object, children: ChildrenApplier) -> None:
    """Create a child, and then find it as desired."""
    for _ in range(2):
        await children.apply(owner, FIXED)
    cluster.reads.clear()


@pytest.mark.usefixtures("applied_twice")
async def test_a_child_that_has_disappeared_is_recreated(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    vanish(cluster)

    await children.apply(owner, FIXED)

    assert verbs(cluster) == [("apply", "Deployment")]
    assert cluster.reads == [("MCPServer", Key("demo", "shop")), ("Deployment", NAME)]


@pytest.mark.usefixtures("applied_twice")
async def test_the_owner_is_read_only_when_a_child_has_disappeared(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, [child(DEPLOYMENTS, replicas=4)])

    assert cluster.reads == []


@pytest.mark.usefixtures("applied_twice")
async def test_a_child_is_not_recreated_when_the_owner_no_longer_exists(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    vanish(cluster)
    del cluster.objects[MCPSERVERS, Key("demo", "shop")]

    with pytest.raises(OwnerGoneError):
        await children.apply(owner, FIXED)

    assert cluster.writes == []


@pytest.mark.usefixtures("applied_twice")
@pytest.mark.parametrize(
    "present",
    [{"uid": "that of another"}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}],
    ids=["recreated", "being deleted"],
)
async def test_a_child_is_not_recreated_when_the_owner_is_recreated_or_being_deleted(
    present: Object, cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    vanish(cluster)
    metadata = {**owner["metadata"], **present}
    cluster.objects[MCPSERVERS, Key("demo", "shop")] = {**owner, "metadata": metadata}

    with pytest.raises(OwnerGoneError):
        await children.apply(owner, FIXED)

    assert cluster.writes == []


async def test_in_a_terminating_namespace_only_the_first_child_is_tried(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    cause = Cause("metadata.namespace", "NamespaceTerminating", "it is being terminated")
    cluster.failures.append(ApiError(403, "Forbidden", "no more", causes=(cause,)))

    with pytest.raises(OwnerGoneError):
        await children.apply(owner, SCALED)

    assert verbs(cluster) == [("apply", "Deployment")]
