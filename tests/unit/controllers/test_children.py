"""How children follow what is desired, their owner's end, and the number of pods its autoscaler."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.resources import DEPLOYMENTS
from mcp_operator.controllers.children import REPLICAS_HEIR, ChildrenApplier, OwnerGoneError
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.errors import ApiError, Cause
from mcp_operator.runtime.notification import Event
from support.cached_cluster import CachedCluster
from support.desired import FIXED, NAME, SCALED, child, verbs

RELEASE = f"apply as {REPLICAS_HEIR}"


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


def vanish(cluster: CachedCluster) -> None:
    cluster.remove("Deployment", NAME.name)
    cluster.writes.clear()


@pytest.fixture
async def settled(cluster: CachedCluster, owner: Object, children: ChildrenApplier) -> None:
    """A child that was made, and then found to be as it should."""
    for _ in range(2):
        await children.apply(owner, FIXED)
    cluster.reads.clear()


@pytest.mark.usefixtures("settled")
async def test_a_child_that_has_vanished_is_made_again(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    vanish(cluster)

    await children.apply(owner, FIXED)

    assert verbs(cluster) == [("apply", "Deployment")]
    assert cluster.reads == [("MCPServer", Key("demo", "shop")), ("Deployment", NAME)]


@pytest.mark.usefixtures("settled")
async def test_whether_the_owner_lives_is_asked_only_where_a_child_has_vanished(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    await children.apply(owner, [child(DEPLOYMENTS, replicas=4)])

    assert cluster.reads == []


@pytest.mark.usefixtures("settled")
async def test_a_child_of_an_owner_that_is_gone_unheard_is_not_made_again(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    vanish(cluster)
    del cluster.objects[MCPSERVERS, Key("demo", "shop")]

    with pytest.raises(OwnerGoneError):
        await children.apply(owner, FIXED)

    assert cluster.writes == []


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "present",
    [{"uid": "that of another"}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}],
    ids=["made anew", "being deleted"],
)
async def test_a_child_is_not_made_for_an_owner_that_is(
    present: Object, cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    vanish(cluster)
    metadata = {**owner["metadata"], **present}
    cluster.objects[MCPSERVERS, Key("demo", "shop")] = {**owner, "metadata": metadata}

    with pytest.raises(OwnerGoneError):
        await children.apply(owner, FIXED)

    assert cluster.writes == []


async def test_in_a_namespace_that_ends_only_the_first_child_is_tried(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier
) -> None:
    cause = Cause("metadata.namespace", "NamespaceTerminating", "it is being terminated")
    cluster.failures.append(ApiError(403, "Forbidden", "no more", causes=(cause,)))

    with pytest.raises(OwnerGoneError):
        await children.apply(owner, SCALED)

    assert verbs(cluster) == [("apply", "Deployment")]


class Interference:
    """Lets something be heard of the child while it is written, so many times."""

    def __init__(self, cluster: CachedCluster, children: ChildrenApplier) -> None:
        self.told: list[Key] = []
        self.news: list[bool] = []
        self._cluster = cluster
        self._children = children
        self._apply = children._applier.apply
        self._changes: list[dict[str, object]] = []
        children.on_disturbance(self.told.append)

    def during_writes(self, monkeypatch: pytest.MonkeyPatch, *changes: dict[str, object]) -> None:
        """Have others make these changes of its spec, one at each write; none is our own write."""
        self._changes = [*changes]
        monkeypatch.setattr(self._children._applier, "apply", self._interfered)

    async def _interfered(self, *arguments: Any) -> Any:
        outcome = await self._apply(*arguments)
        if self._changes:
            written = self._cluster.objects[DEPLOYMENTS, NAME]
            if change := self._changes.pop(0):
                labels = {"labels": written["metadata"]["labels"]}
                spec = {**written["spec"], **change}
                written = self._cluster.put("Deployment", NAME.name, metadata=labels, spec=spec)
            self.news.append(self._children.is_news(Event("Updated", written, written)))
        return outcome


@pytest.fixture
def interference(cluster: CachedCluster, children: ChildrenApplier) -> Interference:
    return Interference(cluster, children)


async def test_an_own_write_that_is_heard_of_before_its_answer_brings_nobody_back(
    cluster: CachedCluster,
    owner: Object,
    children: ChildrenApplier,
    interference: Interference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interference.during_writes(monkeypatch, {})

    await children.apply(owner, FIXED)

    assert interference.news == [False]
    assert interference.told == []
    assert verbs(cluster) == [("apply", "Deployment")]


async def test_what_others_change_while_a_child_is_written_is_put_back_at_once(
    cluster: CachedCluster,
    owner: Object,
    children: ChildrenApplier,
    interference: Interference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interference.during_writes(monkeypatch, {"replicas": 9})

    await children.apply(owner, FIXED)

    assert cluster.objects[DEPLOYMENTS, NAME]["spec"] == {"replicas": 3}
    assert interference.told == []


async def test_a_child_that_others_change_again_and_again_is_left_to_the_queue(
    owner: Object,
    children: ChildrenApplier,
    interference: Interference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interference.during_writes(monkeypatch, {"replicas": 9}, {"replicas": 8})

    await children.apply(owner, FIXED)

    assert interference.told == [Key("demo", "shop")]


async def test_what_is_heard_while_a_write_fails_brings_its_owner_back(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier, interference: Interference
) -> None:
    def refuse(_: str, obj: Object) -> None:
        interference.news.append(children.is_news(Event("Created", None, obj)))
        raise ApiError(503, "ServiceUnavailable", "later")

    cluster.on_write = refuse

    outcome = await children.apply(owner, FIXED)

    assert outcome.error is not None
    assert interference.news == [False]
    assert interference.told == [Key("demo", "shop")]


async def test_a_deletion_is_news_even_while_a_child_is_written(
    cluster: CachedCluster, owner: Object, children: ChildrenApplier, interference: Interference
) -> None:
    def hear(_: str, obj: Object) -> None:
        interference.news.append(children.is_news(Event("Deleted", obj, None)))

    cluster.on_write = hear

    await children.apply(owner, FIXED)

    assert interference.news == [True]


def test_what_is_heard_of_a_child_that_nobody_writes_is_news(
    cluster: CachedCluster, children: ChildrenApplier
) -> None:
    changed = cluster.put("Deployment", NAME.name, spec={"replicas": 9})

    assert children.is_news(Event("Updated", changed, changed))
