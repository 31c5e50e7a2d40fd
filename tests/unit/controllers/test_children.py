"""How the number of pods passes from a server to its autoscaler."""

from __future__ import annotations

import pytest

from mcp_operator.builders.children import Child
from mcp_operator.builders.resources import AUTOSCALERS, DEPLOYMENTS
from mcp_operator.controllers.children import REPLICAS_HEIR, ChildrenApplier
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.apply import Applier
from mcp_operator.runtime.errors import ApiError
from support.cached_cluster import CachedCluster

RELEASE = f"apply as {REPLICAS_HEIR}"
NAME = Key("demo", "mcp-server-shop")


@pytest.fixture
def cluster() -> CachedCluster:
    return CachedCluster()


@pytest.fixture
def owner(cluster: CachedCluster) -> Object:
    return cluster.server()


@pytest.fixture
def children(cluster: CachedCluster) -> ChildrenApplier:
    return ChildrenApplier(cluster.world, Applier(cluster, hash_annotation="hash"))


def child(resource: Resource, **spec: object) -> Child:
    metadata = {
        "name": NAME.name,
        "namespace": NAME.namespace,
        "labels": {
            "app.kubernetes.io/managed-by": "mcp-operator",
            "app.kubernetes.io/name": "mcp-server",
        },
    }
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    return Child(resource, {**head, "spec": spec})


FIXED = [child(DEPLOYMENTS, replicas=3)]
SCALED = [child(DEPLOYMENTS, paused=False), child(AUTOSCALERS, maxReplicas=5)]


def verbs(cluster: CachedCluster) -> list[tuple[str, str]]:
    return [(verb, obj["kind"]) for verb, obj in cluster.writes]


async def test_replicas_get_an_heir_before_they_are_no_longer_applied(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, FIXED)
    cluster.writes.clear()

    await children.apply(owner, SCALED)

    assert verbs(cluster) == [
        (RELEASE, "Deployment"),
        ("apply", "Deployment"),
        ("apply", "HorizontalPodAutoscaler"),
    ]
    assert cluster.writes[0][1]["spec"] == {"replicas": 3}


async def test_nothing_is_released_of_what_is_not_there_or_is_an_autoscalers_already(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, SCALED)
    await children.apply(owner, SCALED)

    assert verbs(cluster) == [("apply", "Deployment"), ("apply", "HorizontalPodAutoscaler")]


async def test_replicas_without_an_heir_go_on_being_applied(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, FIXED)
    cluster.writes.clear()
    cluster.failures.append(ApiError(403, "Forbidden", "no"))

    outcome = await children.apply(owner, SCALED)

    assert outcome.error is not None
    assert verbs(cluster) == [(RELEASE, "Deployment")]
