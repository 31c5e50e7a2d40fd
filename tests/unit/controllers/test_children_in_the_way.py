"""Applying the children of a server when one of them has another owner, or is rejected."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.builders.children import Child
from mcp_operator.builders.resources import (
    AUTOSCALERS,
    CONFIGMAPS,
    DEPLOYMENTS,
    INGRESSES,
    ROLEBINDINGS,
    ROLES,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.errors import ApiError
from support.cached_cluster import CachedCluster
from support.desired import FIXED, LABELS, NAME, SCALED, child, put_foreign, verbs

EVERY = [
    child(SERVICEACCOUNTS),
    child(ROLES),
    child(ROLEBINDINGS),
    child(CONFIGMAPS),
    child(DEPLOYMENTS, replicas=3),
    child(AUTOSCALERS, maxReplicas=5),
    child(SERVICES),
    child(INGRESSES),
]


@pytest.mark.parametrize("wanted", EVERY, ids=lambda wanted: wanted.resource.kind)
async def test_nothing_is_applied_when_one_child_belongs_to_another_owner(
    wanted: Child, cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    put_foreign(cluster, wanted.resource, owned=wanted.resource == SERVICEACCOUNTS)

    outcome = await children.apply(owner, EVERY)

    [conflict] = outcome.conflicts
    assert conflict.name == f"{wanted.resource.kind} {NAME}"
    assert cluster.writes == []


async def test_a_service_account_without_an_owner_is_used_unchanged(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    put_foreign(cluster, SERVICEACCOUNTS)

    outcome = await children.apply(owner, EVERY)

    assert outcome.conflicts == ()
    assert outcome.error is None
    made = {kind for _, kind in verbs(cluster)}
    assert made == {wanted.resource.kind for wanted in EVERY} - {"ServiceAccount"}


async def test_every_conflicting_object_is_named_whether_or_not_it_is_cached(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    put_foreign(cluster, ROLES)
    cluster.put("Deployment", NAME.name, metadata={"labels": LABELS})

    outcome = await children.apply(owner, EVERY)

    assert [conflict.name for conflict in outcome.conflicts] == [
        f"Role {NAME}",
        f"Deployment {NAME}",
    ]


async def test_existing_children_are_not_changed_while_there_is_a_conflict(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, FIXED)
    cluster.writes.clear()
    put_foreign(cluster, AUTOSCALERS)

    await children.apply(owner, SCALED)

    assert cluster.writes == []


async def test_a_conflict_during_a_write_stops_the_remaining_writes(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    def overtake(_: str, obj: Object) -> None:
        if obj["kind"] == "Role":
            put_foreign(cluster, ROLES)

    cluster.on_write = overtake

    outcome = await children.apply(owner, EVERY)

    assert [conflict.name for conflict in outcome.conflicts] == [f"Role {NAME}"]
    assert verbs(cluster) == [("apply", "ServiceAccount"), ("apply", "Role")]


@pytest.mark.parametrize(
    ("refused", "without"),
    [
        ("ServiceAccount", {"Deployment", "HorizontalPodAutoscaler"}),
        ("Role", {"RoleBinding"}),
        ("Service", {"Ingress"}),
        ("ConfigMap", set()),
    ],
)
async def test_children_that_depend_on_a_rejected_child_are_not_applied(
    refused: str,
    without: set[str],
    cluster: CachedCluster,
    owner: Object,
    children: ChildrenApplier,
) -> None:
    tried: set[str] = set()

    def refuse(_: str, obj: Object) -> None:
        tried.add(obj["kind"])
        if obj["kind"] == refused:
            raise ApiError(403, "Forbidden", "no")

    cluster.on_write = refuse

    outcome = await children.apply(owner, EVERY)

    assert outcome.error is not None
    assert {each.resource.kind for each in EVERY} - tried == without


async def test_nothing_is_applied_when_reading_the_children_fails(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    def fail(_: Key) -> None:
        raise ApiError(500, "InternalError", "no")

    cluster.on_read = fail

    outcome = await children.apply(owner, EVERY)

    assert outcome.error is not None
    assert cluster.writes == []


@pytest.mark.looptime
async def test_a_reconciliation_whose_writes_hang_leaves_the_rest_to_the_next(
    cluster: CachedCluster,
    owner: Object,
    children: ChildrenApplier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of many children can wait for a webhook, and delay other servers."""
    tried = []

    async def hang(_: Resource, obj: Object, **__: object) -> Object:
        tried.append(obj["kind"])
        await asyncio.sleep(10)
        raise ApiError(500, "InternalError", "no answer from the webhook")

    monkeypatch.setattr(cluster, "apply", hang)

    await children.apply(owner, EVERY)

    assert tried == ["ServiceAccount"]
