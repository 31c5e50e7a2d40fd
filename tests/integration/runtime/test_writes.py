"""Server-side apply, status writes, Events and the Lease against a real API server."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.controllers.recorder import EVENTS, EventRecorder
from mcp_operator.core.clock import SystemClock
from mcp_operator.core.meta import Key, Object, Resource, key_of
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.apply import Applier, OwnershipConflictError
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.leader import LEASES, LeaderElector
from mcp_operator.runtime.status import StatusWriter
from support.elections import no_exit
from support.objects import CONFIG_MAPS
from support.waiting import eventually

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
HASH = "tests.example.com/hash"


@pytest.fixture
async def owner(client: Client, namespace: str) -> Object:
    return await client.create(
        CONFIG_MAPS,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": namespace, "name": "owner"},
        },
    )


@pytest.fixture
def applier(client: Client) -> Applier:
    return Applier(client, hash_annotation=HASH)


def child(namespace: str, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": "child"},
        "data": data,
    }


def deployment(namespace: str) -> Object:
    labels = {"app": "child"}
    container = {
        "name": "main",
        "image": "example.com/image:1",
        "env": [{"name": "EMPTY", "value": ""}, {"name": "A", "value": "1"}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
        "securityContext": {"capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  # in a pod
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": "child", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {}},
                "spec": {
                    "containers": [container],
                    "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1024Mi"}}],
                    "imagePullSecrets": [],
                    "automountServiceAccountToken": False,
                },
            },
        },
    }


async def test_a_child_is_created_then_unchanged_then_updated(
    client: Client, namespace: str, owner: Object, applier: Applier
) -> None:
    key = Key(namespace, "child")
    assert await applier.apply(owner, child(namespace, x="1"), CONFIG_MAPS, None) == "created"
    live = await client.get(CONFIG_MAPS, key)
    assert live["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert await applier.apply(owner, child(namespace, x="1"), CONFIG_MAPS, live) == "unchanged"
    assert await applier.apply(owner, child(namespace, x="2"), CONFIG_MAPS, live) == "updated"
    assert (await client.get(CONFIG_MAPS, key))["data"] == {"x": "2"}


async def test_a_field_that_is_no_longer_desired_is_removed_and_fields_of_others_are_kept(
    client: Client, other_client: Client, namespace: str, owner: Object, applier: Applier
) -> None:
    key = Key(namespace, "child")
    await applier.apply(owner, child(namespace, x="1", y="2"), CONFIG_MAPS, None)
    await other_client.merge_patch(CONFIG_MAPS, key, {"data": {"theirs": "3"}})
    live = await client.get(CONFIG_MAPS, key)
    assert await applier.apply(owner, child(namespace, x="1", y="2"), CONFIG_MAPS, live) == (
        "unchanged"
    )
    assert await applier.apply(owner, child(namespace, x="1"), CONFIG_MAPS, live) == "updated"
    assert (await client.get(CONFIG_MAPS, key))["data"] == {"x": "1", "theirs": "3"}


async def test_a_manual_edit_is_reverted_and_then_nothing_is_written(
    client: Client, other_client: Client, namespace: str, owner: Object, applier: Applier
) -> None:
    key = Key(namespace, "child")
    await applier.apply(owner, deployment(namespace), DEPLOYMENTS, None)
    edit = {"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}}
    edited = await other_client.merge_patch(DEPLOYMENTS, key, edit)
    assert await applier.apply(owner, deployment(namespace), DEPLOYMENTS, edited) == "updated"
    live = await client.get(DEPLOYMENTS, key)
    assert live["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert await applier.apply(owner, deployment(namespace), DEPLOYMENTS, live) == "unchanged"
    drifts = client.metrics.registry.get_sample_value(
        "drift_corrected_total", {"kind": "Deployment"}
    )
    assert drifts == 1


async def test_a_default_in_an_applied_list_is_not_drift(
    client: Client, namespace: str, owner: Object, applier: Applier
) -> None:
    metadata = {"namespace": namespace, "name": "child"}
    policy: Object = {
        "apiVersion": NETWORK_POLICIES.api_version,
        "kind": NETWORK_POLICIES.kind,
        "metadata": metadata,
        "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]},
    }
    await applier.apply(owner, policy, NETWORK_POLICIES, None)
    live = await client.get(NETWORK_POLICIES, Key(namespace, "child"))
    assert live["spec"]["ingress"] == [{"ports": [{"port": 80, "protocol": "TCP"}]}]
    assert await applier.apply(owner, policy, NETWORK_POLICIES, live) == "unchanged"
    labels = {"kind": NETWORK_POLICIES.kind}
    assert client.metrics.registry.get_sample_value("drift_corrected_total", labels) is None


async def test_replicas_and_annotations_of_others_are_not_drift(
    client: Client, other_client: Client, namespace: str, owner: Object, applier: Applier
) -> None:
    key = Key(namespace, "child")
    await applier.apply(owner, deployment(namespace), DEPLOYMENTS, None)
    theirs = {"metadata": {"annotations": {"theirs": "x"}}, "spec": {"replicas": 7}}
    live = await other_client.merge_patch(DEPLOYMENTS, key, theirs)
    assert await applier.apply(owner, deployment(namespace), DEPLOYMENTS, live) == "unchanged"


async def test_applying_over_a_foreign_object_raises_and_leaves_it_unchanged(
    client: Client, other_client: Client, namespace: str, owner: Object, applier: Applier
) -> None:
    theirs = await other_client.create(CONFIG_MAPS, child(namespace, x="theirs"))
    for live in (None, theirs):
        with pytest.raises(OwnershipConflictError, match=f"ConfigMap {namespace}/child"):
            await applier.apply(owner, child(namespace, x="ours"), CONFIG_MAPS, live)
    assert await client.get(CONFIG_MAPS, Key(namespace, "child")) == theirs


async def test_an_object_that_was_recreated_since_it_was_cached_is_not_changed(
    client: Client, other_client: Client, namespace: str, owner: Object, applier: Applier
) -> None:
    key = Key(namespace, "child")
    await applier.apply(owner, child(namespace, x="1"), CONFIG_MAPS, None)
    stale = await client.get(CONFIG_MAPS, key)
    await other_client.delete(CONFIG_MAPS, key)
    with pytest.raises(ApiError) as caught:
        await applier.apply(owner, child(namespace, x="2"), CONFIG_MAPS, stale)
    assert caught.value.is_conflict
    theirs = await other_client.create(CONFIG_MAPS, child(namespace, x="theirs"))
    with pytest.raises(ApiError) as caught:
        await applier.apply(owner, child(namespace, x="2"), CONFIG_MAPS, stale)
    assert caught.value.is_conflict
    assert not await applier.delete(owner, CONFIG_MAPS, stale)
    assert await client.get(CONFIG_MAPS, key) == theirs


@pytest.mark.usefixtures("crds_installed")
async def test_an_unchanged_status_is_not_written_and_a_dropped_field_is_removed(
    client: Client, namespace: str
) -> None:
    metadata = {"namespace": namespace, "name": "shop"}
    body: Object = {"apiVersion": MCPSERVERS.api_version, "kind": "MCPServer", "metadata": metadata}
    live = await client.create(MCPSERVERS, {**body, "spec": {"toolSelector": {}}})
    writer = StatusWriter(client)
    first: Object = {"observedGeneration": 1, "url": "http://shop", "conditions": []}
    assert await writer.write(MCPSERVERS, live, first)
    live = await client.get(MCPSERVERS, key_of(live))
    assert not await writer.write(MCPSERVERS, live, first)
    assert await writer.write(MCPSERVERS, live, {"observedGeneration": 2})
    live = await client.get(MCPSERVERS, key_of(live))
    assert live["status"]["observedGeneration"] == 2
    assert "url" not in live["status"]
    assert not await writer.write(MCPSERVERS, live, {"observedGeneration": 2})


async def test_repeated_events_become_one_event_with_a_count(
    client: Client, namespace: str, owner: Object
) -> None:
    recorder = EventRecorder(
        client, controller="tests.example.com/op", instance="one", clock=SystemClock()
    )
    for _ in range(3):
        recorder.event(owner, type="Warning", reason="Tested", note="It was tested.")
    written = asyncio.Event()

    def note(_: Resource, obj: Object) -> None:
        if obj.get("series", {}).get("count") == 3:
            written.set()

    client.observe_writes(note)
    task = asyncio.create_task(recorder.run())
    await written.wait()
    task.cancel()
    pages = client.list_pages(EVENTS, namespace=namespace)
    found = [obj async for page in pages for obj in page.items if obj["reason"] == "Tested"]
    (event,) = found
    assert event["regarding"]["uid"] == owner["metadata"]["uid"]
    assert event["note"] == "It was tested."


class RecordedWork:
    """Work that records when it started and ended."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.span: tuple[float, float] = (0.0, 0.0)

    async def work(self) -> None:
        now = asyncio.get_running_loop().time
        began = now()
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)  # the lease is kept until the work has stopped
            self.span = (began, now())


async def test_a_second_replica_leads_only_after_the_first_has_stopped_its_work(
    client: Client, other_client: Client, namespace: str
) -> None:
    def elector(through: Client, identity: str) -> LeaderElector:
        return LeaderElector(
            through,
            namespace=namespace,
            name="operator",
            identity=identity,
            lease_duration=600.0,
            renew_deadline=500.0,
            retry_period=0.2,
            clock=SystemClock(),
            metrics=RuntimeMetrics(new_registry()),
            exit_process=no_exit,
        )

    first, second = RecordedWork(), RecordedWork()
    one, two = elector(client, "one"), elector(other_client, "two")
    leading = asyncio.create_task(one.run(first.work))
    await first.started.wait()
    standing_by = asyncio.create_task(two.run(second.work))
    renewals: set[str] = set()

    async def renewed() -> bool:
        lease = await client.get(LEASES, Key(namespace, "operator"))
        renewals.add(lease["spec"]["renewTime"])
        return len(renewals) > 5

    await eventually(renewed, expected=True)
    assert one.is_leader
    assert not two.is_leader
    leading.cancel()
    await asyncio.wait({leading})
    await second.started.wait()  # at once, although the lease lasts for minutes
    standing_by.cancel()
    await asyncio.wait({standing_by})
    assert first.span[1] <= second.span[0]
    spec = (await client.get(LEASES, Key(namespace, "operator")))["spec"]
    assert spec["holderIdentity"] == ""
    assert spec["leaseTransitions"] == 1
