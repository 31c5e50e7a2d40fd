"""How an MCPServer becomes children, and what it is told until its pods have confirmed."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.shards import INDEX_KEY, SHARD_KEY, Index, decode
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.api.v1alpha1.mcpserver import MCPServerStatus
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.labels import child_labels
from mcp_operator.builders.resources import CONFIGMAPS, DEPLOYMENTS, SECRETS, SERVICES
from mcp_operator.controllers import mcpserver
from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.controllers.claims import Claims
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.confirmations import AskError, Confirmations, Pod
from mcp_operator.controllers.ledger import Ledger
from mcp_operator.controllers.mcpserver import (
    CONFIRM_GRACE_SECONDS,
    PROBLEM_RETRY_SECONDS,
    MCPServerReconciler,
)
from mcp_operator.controllers.reading import Reader
from mcp_operator.controllers.statuses import Statuses
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.apply import Applier
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.recorder import EventRecorder
from mcp_operator.runtime.status import StatusWriter
from support.cached_cluster import CachedCluster

SHOP = Key("demo", "shop")
CONFIG = Key("demo", "mcp-server-shop-config")
DIRECT = {"mode": "Direct", "image": "example/mcp:1"}
LOGIN = {"credentials": {"type": "Bearer", "secretRef": {"name": "login"}}}
FORBIDDEN = ApiError(403, "Forbidden", "denied by policy")


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, 12, tzinfo=UTC)


class Bench:
    """A cluster with a server, the server's reconciler, and pods that answer as the test says."""

    def __init__(self) -> None:
        self.cluster = CachedCluster()
        self.cluster.service()
        self.cluster.server()
        self.serves: str | None = None
        world = self.cluster.world
        self.ledger = Ledger()
        self.compiler = Compiler(world.parser, Reader(self.cluster, world))
        self.confirmations = Confirmations(self.ask)
        recorder = EventRecorder(self.cluster, controller="c", instance="i", clock=Noon())
        self.reconciler = MCPServerReconciler(
            world=world,
            compiler=self.compiler,
            children=ChildrenApplier(world, Applier(self.cluster, hash_annotation="hash")),
            confirmations=self.confirmations,
            statuses=Statuses(StatusWriter(self.cluster), recorder, Noon()),
            ledger=self.ledger,
            claims=Claims(self.cluster, Noon(), installation=""),
            context=BuildContext(gateway_image="example/gateway:1"),
        )

    async def ask(self, pod: Pod, digest: str) -> str:
        """Answer for a pod: with what is asked for, or with what the test says it serves."""
        if self.serves == "nothing":
            raise AskError("cannot be reached")
        return self.serves or digest

    async def reconcile(self) -> float | None:
        """Reconcile; return the seconds until the next time."""
        result = await self.reconciler.reconcile(SHOP)
        if (MCPSERVERS, SHOP) in self.cluster.objects:
            MCPServerStatus.model_validate(self.status)
        return result.requeue_after if result else None

    async def settled(self) -> None:
        """Reconcile, let the pods answer, and reconcile again."""
        await self.reconcile()
        await asyncio.sleep(CONFIRM_GRACE_SECONDS)
        await self.reconcile()

    def pod(self, name: str = "pod-1", *, ready: bool = True) -> None:
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        self.cluster.put(
            "Pod",
            name,
            metadata={"labels": child_labels("shop", "Gateway")},
            status={"podIP": "10.0.0.1", "conditions": conditions},
        )

    def available(self) -> None:
        """Let the Deployment have its pods."""
        conditions = [{"type": "Available", "status": "True"}]
        status = {"conditions": conditions, "replicas": 1, "readyReplicas": 1}
        self.cluster.put("Deployment", "mcp-server-shop", status=status)

    @property
    def status(self) -> Object:
        return self.cluster.status("MCPServer", "shop")

    def reason(self, type_: str) -> tuple[str, str]:
        status, reason, _ = self.cluster.conditions("MCPServer", "shop")[type_]
        return status, reason

    def child(self, resource: Resource, key: Key = CONFIG) -> Object:
        return self.cluster.objects[resource, key]

    def shards(self) -> list[str]:
        found = (key.name for resource, key in self.cluster.objects if resource == CONFIGMAPS)
        return sorted(name for name in found if name.startswith(CONFIG.name))

    def catalog(self) -> Catalog:
        """Put the catalog together from its ConfigMaps."""
        names = self.shards()
        index = Index.model_validate_json(self.child(CONFIGMAPS)["data"][INDEX_KEY])
        raw = [self.child(CONFIGMAPS, Key("demo", name))["binaryData"][SHARD_KEY] for name in names]
        return decode(index, [base64.b64decode(shard) for shard in raw])

    def refuse(self, resource: Resource, verb: str, error: ApiError = FORBIDDEN) -> None:
        """Refuse writes of one kind from now on."""

        def refuse(which: str, obj: Object) -> None:
            if which == verb and obj["kind"] == resource.kind:
                raise error

        self.cluster.on_write = refuse


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.confirmations.close()


@pytest.mark.looptime
async def test_what_a_server_selects_is_written_for_its_pods_to_read(bench: Bench) -> None:
    bench.cluster.tool("search")
    bench.cluster.tool("other", team="other")
    await bench.reconcile()
    catalog = bench.catalog()
    assert [tool.name for tool in catalog.tools] == ["search"]
    assert (
        bench.status["configHash"]
        == Index.model_validate_json(bench.child(CONFIGMAPS)["data"][INDEX_KEY]).digest
    )
    assert bench.status["toolCount"] == 1
    assert bench.reason("Programmed") == ("False", "NoReadyPods")
    assert bench.child(DEPLOYMENTS, Key("demo", "mcp-server-shop"))


@pytest.mark.looptime
async def test_a_server_is_programmed_once_its_pods_have_confirmed(bench: Bench) -> None:
    raw = bench.cluster.tool("search")
    bench.pod()
    wait = await bench.reconcile()
    assert wait is not None
    assert 0 < wait <= CONFIRM_GRACE_SECONDS
    assert bench.status == {}
    await bench.settled()
    assert bench.reason("Programmed") == ("True", "Programmed")
    assert bench.status["syncedReplicas"] == 1
    assert bench.ledger.confirms(SHOP, await bench.compiler.compile(raw))
    bench.available()
    assert await bench.reconcile() is None
    assert bench.reason("Ready") == ("True", "Ready")


@pytest.mark.looptime
async def test_pods_that_do_not_confirm_are_admitted_after_a_moment(bench: Bench) -> None:
    raw = bench.cluster.tool("search")
    bench.pod()
    bench.serves = "nothing"
    await bench.settled()
    assert bench.reason("Programmed") == ("False", "Propagating")
    assert not bench.ledger.confirms(SHOP, await bench.compiler.compile(raw))
    assert await bench.reconcile() == PROBLEM_RETRY_SECONDS


@pytest.mark.looptime
async def test_pods_that_are_not_ready_are_not_asked(bench: Bench) -> None:
    bench.pod(ready=False)
    assert await bench.reconcile() is None
    assert bench.reason("Programmed") == ("False", "NoReadyPods")


@pytest.mark.looptime
async def test_the_time_of_the_last_change_is_that_of_the_catalog(bench: Bench) -> None:
    await bench.reconcile()
    assert bench.status["lastSyncTime"] == "2026-01-01T12:00:00Z"
    bench.cluster.put("MCPServer", "shop", status=bench.status | {"lastSyncTime": "2025"})
    await bench.reconcile()
    assert bench.status["lastSyncTime"] == "2025"
    bench.cluster.tool("search")
    await bench.reconcile()
    assert bench.status["lastSyncTime"] == "2026-01-01T12:00:00Z"


@pytest.mark.looptime
async def test_a_pass_that_finds_nothing_new_writes_nothing_and_assembles_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.cluster.tool("search")
    bench.cluster.tool("broken", method="TRACE")
    await bench.reconcile()
    writes = len(bench.cluster.writes)
    monkeypatch.setattr(mcpserver, "encode", None)
    await bench.reconcile()
    assert len(bench.cluster.writes) == writes


@pytest.mark.looptime
async def test_members_that_are_not_served_are_listed(bench: Bench) -> None:
    bench.cluster.tool("older", name="search")
    bench.cluster.tool("search")
    bench.cluster.tool("lost", service={"name": "none", "port": 80})
    await bench.reconcile()
    assert [one["name"] for one in bench.status["rejected"]] == ["lost", "search"]
    assert bench.status["rejectedCount"] == 2
    assert bench.reason("Degraded") == ("True", "MembersRejected")
    assert bench.reason("ResolvedRefs") == ("False", "MembersUnresolved")


@pytest.mark.looptime
async def test_a_loser_is_not_noted_as_served(bench: Bench) -> None:
    older = bench.cluster.tool("older", name="search")
    younger = bench.cluster.tool("search")
    bench.pod()
    await bench.settled()
    assert bench.ledger.confirms(SHOP, await bench.compiler.compile(older))
    assert not bench.ledger.confirms(SHOP, await bench.compiler.compile(younger))


@pytest.mark.looptime
async def test_pods_may_read_the_secrets_that_the_catalog_names_and_no_others(
    bench: Bench,
) -> None:
    bench.cluster.put("Secret", "login", data={"token": "aHVzaA=="})
    bench.cluster.put("Secret", "other", data={"token": "aHVzaA=="})
    bench.cluster.tool("search", request=LOGIN)
    await bench.reconcile()
    [role] = [
        obj for (resource, _), obj in bench.cluster.objects.items() if resource.kind == "Role"
    ]
    [secrets] = [rule for rule in role["rules"] if rule["resources"] == [SECRETS.plural]]
    assert (secrets["resourceNames"], secrets["verbs"]) == (["login"], ["get"])
    assert "aHVzaA==" not in str([obj for _, obj in bench.cluster.writes])


@pytest.mark.looptime
async def test_in_mode_direct_the_files_are_mounted_and_nobody_is_asked(bench: Bench) -> None:
    bench.cluster.server("shop", **DIRECT)
    raw = bench.cluster.tool("search")
    bench.pod()
    bench.serves = "nothing"
    assert await bench.reconcile() is None
    assert sorted(bench.child(CONFIGMAPS)["data"]) == [
        "prompts.json",
        "resources.json",
        "tools.json",
    ]
    assert bench.reason("Programmed") == ("True", "Mounted")
    assert bench.ledger.confirms(SHOP, await bench.compiler.compile(raw))


@pytest.mark.looptime
async def test_in_mode_direct_too_many_files_leave_the_last_ones_in_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.cluster.server("shop", **DIRECT)
    await bench.reconcile()
    before = bench.child(CONFIGMAPS)
    monkeypatch.setattr(mcpserver, "MAX_FILES_BYTES", 100)
    bench.cluster.tool("search")
    assert await bench.reconcile() == PROBLEM_RETRY_SECONDS
    assert bench.child(CONFIGMAPS) == before
    assert bench.reason("Accepted") == ("False", "CatalogTooLarge")
    assert bench.reason("Programmed") == ("False", "NotAccepted")


@pytest.mark.looptime
async def test_an_object_in_the_way_is_left_alone_and_named(bench: Bench) -> None:
    bench.cluster.put("Service", "mcp-server-shop", spec={"ports": []})
    assert await bench.reconcile() == PROBLEM_RETRY_SECONDS
    assert bench.child(SERVICES, Key("demo", "mcp-server-shop"))["spec"] == {"ports": []}
    status, reason, message = bench.cluster.conditions("MCPServer", "shop")["Programmed"]
    assert (status, reason) == ("False", "Conflict")
    assert "Service demo/mcp-server-shop exists already and has no owner" in message


@pytest.mark.looptime
async def test_a_child_that_is_refused_is_said_and_tried_again(bench: Bench) -> None:
    bench.refuse(SERVICES, "apply")
    with pytest.raises(ApiError, match="denied by policy"):
        await bench.reconcile()
    status, reason, message = bench.cluster.conditions("MCPServer", "shop")["Programmed"]
    assert (status, reason) == ("False", "ApplyFailed")
    assert "denied by policy" in message
    assert bench.child(DEPLOYMENTS, Key("demo", "mcp-server-shop"))


@pytest.mark.looptime
async def test_a_passing_failure_is_tried_again_without_a_word(bench: Bench) -> None:
    bench.refuse(SERVICES, "apply", ApiError(503, "ServiceUnavailable", "later"))
    with pytest.raises(ApiError, match="later"):
        await bench.reconcile()
    assert bench.status == {}


@pytest.mark.looptime
async def test_an_index_never_names_shards_that_could_not_be_written(bench: Bench) -> None:
    bench.refuse(CONFIGMAPS, "apply")
    with pytest.raises(ApiError):
        await bench.reconcile()
    assert bench.shards() == []
    assert sum(obj["kind"] == "ConfigMap" for _, obj in bench.cluster.writes) == 0


def fill_two_shards(bench: Bench) -> None:
    for name in ("a", "b"):
        noise = random.Random(name).randbytes(600_000)  # noqa: S311 - only must not compress
        content = {"uri": f"docs://{name}", "blob": base64.b64encode(noise).decode()}
        labels = {"labels": {"team": "shop"}}
        spec = {"name": name, "content": content}
        bench.cluster.put("MCPResource", name, metadata=labels, spec=spec)


@pytest.mark.looptime
async def test_after_a_shard_that_is_refused_the_index_is_not_even_tried(bench: Bench) -> None:
    tried: list[str] = []

    def refuse(_: str, obj: Object) -> None:
        if obj["kind"] == CONFIGMAPS.kind:
            tried.append(obj["metadata"]["name"])
            raise FORBIDDEN

    fill_two_shards(bench)
    bench.cluster.on_write = refuse
    with pytest.raises(ApiError):
        await bench.reconcile()
    assert tried == ["mcp-server-shop-config-1"]


@pytest.mark.looptime
async def test_an_autoscaler_finds_the_number_of_pods_that_there_was(bench: Bench) -> None:
    bench.cluster.server("shop", replicas=3)
    await bench.reconcile()
    scaling = {"maxReplicas": 9, "targetCPUUtilizationPercentage": 80}
    selector = {"matchLabels": {"team": "shop"}}
    spec = {"toolSelector": selector, "autoscaling": scaling}
    bench.cluster.put("MCPServer", "shop", spec=spec)
    bench.cluster.writes.clear()
    await bench.reconcile()
    [heir, *others] = [
        (verb, obj) for verb, obj in bench.cluster.writes if obj["kind"] == "Deployment"
    ]
    assert heir[0] == "apply as mcp-operator-autoscaling"
    assert heir[1]["spec"] == {"replicas": 3}
    assert not any("replicas" in obj["spec"] for _, obj in others)


@pytest.mark.looptime
async def test_shards_that_are_no_longer_needed_are_deleted(bench: Bench) -> None:
    fill_two_shards(bench)
    await bench.reconcile()
    assert len(bench.shards()) == 2
    assert len(bench.catalog().resources) == 2
    bench.cluster.remove("MCPResource", "a")
    await bench.reconcile()
    assert bench.shards() == [CONFIG.name]
    assert len(bench.catalog().resources) == 1


@pytest.mark.looptime
async def test_a_child_that_cannot_be_deleted_is_said(bench: Bench) -> None:
    bench.cluster.server("shop", ingress={"host": "mcp.example.com"})
    await bench.reconcile()
    bench.cluster.put("MCPServer", "shop", spec={"toolSelector": {}})
    [(ingresses, _)] = [one for one in bench.cluster.objects if one[0].kind == "Ingress"]
    bench.refuse(ingresses, "delete")
    with pytest.raises(ApiError, match="denied by policy"):
        await bench.reconcile()
    assert bench.reason("Programmed") == ("False", "ApplyFailed")
    assert bench.status["observedGeneration"] == 3


@pytest.mark.looptime
async def test_a_server_that_cannot_be_read_is_told_why_and_keeps_running(bench: Bench) -> None:
    bench.cluster.tool("search")
    await bench.reconcile()
    before = bench.catalog()
    bench.cluster.put("MCPServer", "shop", spec={"toolSelector": "everything"})
    assert await bench.reconcile() is None
    assert bench.reason("Accepted") == ("False", "Invalid")
    assert bench.reason("Programmed") == ("False", "NotAccepted")
    assert bench.reason("Ready") == ("False", "Invalid")
    assert bench.status["toolCount"] == 1
    assert bench.status["observedGeneration"] == 2
    assert bench.catalog() == before


@pytest.mark.looptime
@pytest.mark.parametrize("how", ["gone", "going"])
async def test_nothing_is_kept_in_memory_of_a_server_that_is_gone(bench: Bench, how: str) -> None:
    raw = bench.cluster.tool("search")
    bench.pod()
    await bench.settled()
    assert bench.reconciler._assembled
    if how == "gone":
        bench.cluster.remove("MCPServer", "shop")
    else:
        bench.cluster.put("MCPServer", "shop", metadata={"deletionTimestamp": "now"})
    writes = len(bench.cluster.writes)
    assert await bench.reconcile() is None
    assert len(bench.cluster.writes) == writes
    assert bench.reconciler._assembled == {}
    assert not bench.ledger.confirms(SHOP, await bench.compiler.compile(raw))
    assert bench.confirmations._servers == {}


@pytest.mark.looptime
async def test_a_server_that_is_made_anew_does_not_take_over_its_former_children(
    bench: Bench,
) -> None:
    await bench.reconcile()
    bench.cluster.remove("MCPServer", "shop")
    bench.cluster.server()
    assert await bench.reconcile() == PROBLEM_RETRY_SECONDS
    assert bench.reason("Programmed") == ("False", "Conflict")
