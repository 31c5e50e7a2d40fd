"""Reconciling an MCPServer when children, the API server or the spec cause errors."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator

import pytest

from mcp_operator.builders.resources import CONFIGMAPS, DEPLOYMENTS, SERVICES
from mcp_operator.controllers.apply_problems import REPORT_AFTER_SECONDS
from mcp_operator.controllers.mcpserver import (
    CONFIRM_GRACE_SECONDS,
    PROBLEM_RETRY_SECONDS,
)
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.errors import ApiError
from support.server_bench import CONFIG, FORBIDDEN, SHOP, Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.confirmations.close()


@pytest.mark.looptime
async def test_a_conflicting_object_is_not_changed_and_is_named(bench: Bench) -> None:
    bench.cluster.put("Service", "mcp-server-shop", spec={"ports": []})
    assert await bench.reconcile() == PROBLEM_RETRY_SECONDS
    assert bench.child(SERVICES, Key("demo", "mcp-server-shop"))["spec"] == {"ports": []}
    status, reason, message = bench.cluster.conditions("MCPServer", "shop")["Programmed"]
    assert (status, reason) == ("False", "Conflict")
    assert "Service demo/mcp-server-shop already exists and has no owner" in message


@pytest.mark.looptime
async def test_after_a_restart_no_status_is_written_before_the_pods_have_answered(
    bench: Bench,
) -> None:
    bench.cluster.put("Service", "mcp-server-shop", spec={"ports": []})
    bench.pod()
    await bench.settled()
    assert bench.status["syncedReplicas"] == 1
    written = len(bench.cluster.writes)
    bench.confirmations.forget(SHOP)
    await bench.settled()
    later = bench.cluster.writes[written:]
    assert [obj for _, obj in later if obj["kind"] == "MCPServer"] == []


@pytest.mark.looptime
async def test_a_rejected_child_is_reported_and_retried(bench: Bench) -> None:
    bench.refuse(SERVICES, "apply")
    with pytest.raises(ApiError, match="denied by policy"):
        await bench.reconcile()
    status, reason, message = bench.cluster.conditions("MCPServer", "shop")["Programmed"]
    assert (status, reason) == ("False", "ApplyFailed")
    assert "denied by policy" in message
    assert bench.child(DEPLOYMENTS, Key("demo", "mcp-server-shop"))


@pytest.mark.looptime
async def test_a_transient_failure_is_retried_without_a_status(bench: Bench) -> None:
    bench.refuse(SERVICES, "apply", ApiError(503, "ServiceUnavailable", "later"))
    with pytest.raises(ApiError, match="later"):
        await bench.reconcile()
    assert bench.status == {}


async def fails(bench: Bench) -> None:
    with pytest.raises(ApiError, match="later"):
        await bench.reconcile()


@pytest.mark.looptime
async def test_a_lasting_failure_is_reported_once_and_removed_when_it_ends(bench: Bench) -> None:
    await bench.reconcile()
    bench.cluster.put("MCPServer", "shop", spec={"toolSelector": {}, "replicas": 3})
    bench.refuse(DEPLOYMENTS, "apply", ApiError(500, "InternalError", "try later"))
    await fails(bench)
    await asyncio.sleep(REPORT_AFTER_SECONDS)
    await fails(bench)
    status, reason, message = bench.cluster.conditions("MCPServer", "shop")["Ready"]
    assert (status, reason) == ("False", "ApplyFailed")
    assert "try later" in message
    assert bench.status["observedGeneration"] == 2

    said = len(bench.cluster.writes)
    for attempt in range(10):
        bench.refuse(DEPLOYMENTS, "apply", ApiError(500, "InternalError", f"later: {attempt}"))
        await fails(bench)
    assert len(bench.cluster.writes) == said

    bench.cluster.on_write = lambda *_: None
    await bench.reconcile()
    assert bench.reason("Programmed") == ("False", "NoReadyPods")


@pytest.mark.looptime
async def test_pods_are_asked_for_a_written_catalog_even_when_another_child_failed(
    bench: Bench,
) -> None:
    raw = bench.cluster.tool("search")
    bench.pod()
    bench.refuse(DEPLOYMENTS, "apply", ApiError(500, "InternalError", "later"))
    await fails(bench)
    await asyncio.sleep(REPORT_AFTER_SECONDS)
    await fails(bench)
    assert bench.status["syncedReplicas"] == 1
    assert bench.reason("Programmed") == ("False", "ApplyFailed")
    assert bench.confirmed_objects.includes(SHOP, await bench.compiler.compile(raw))


@pytest.mark.looptime
async def test_objects_stay_confirmed_when_a_new_catalog_cannot_be_written(
    bench: Bench,
) -> None:
    raw = bench.cluster.tool("search")
    before = await bench.compiler.compile(raw)
    bench.pod()
    await bench.settled()
    bench.serves = bench.status["configHash"]
    after = await bench.compiler.compile(bench.cluster.tool("search", description="new"))
    bench.refuse(CONFIGMAPS, "apply")
    await bench.reconcile()
    await asyncio.sleep(CONFIRM_GRACE_SECONDS)
    with pytest.raises(ApiError):
        await bench.reconcile()
    assert bench.confirmed_objects.includes(SHOP, before)
    assert not bench.confirmed_objects.includes(SHOP, after)


@pytest.mark.looptime
async def test_without_ready_pods_a_failing_child_leaves_no_object_served(bench: Bench) -> None:
    raw = bench.cluster.tool("search")
    bench.pod()
    await bench.settled()
    bench.pod(ready=False)
    bench.refuse(DEPLOYMENTS, "apply")
    bench.cluster.put("MCPServer", "shop", spec={"toolSelector": {}, "replicas": 3})
    with pytest.raises(ApiError):
        await bench.reconcile()
    assert not bench.confirmed_objects.includes(SHOP, await bench.compiler.compile(raw))


@pytest.mark.looptime
async def test_no_index_is_written_when_its_shards_could_not_be_written(bench: Bench) -> None:
    bench.refuse(CONFIGMAPS, "apply")
    with pytest.raises(ApiError):
        await bench.reconcile()
    assert bench.shards() == []
    assert sum(obj["kind"] == "ConfigMap" for _, obj in bench.cluster.writes) == 0


def fill_two_shards(bench: Bench) -> None:
    for name in ("a", "b"):
        noise = random.Random(name).randbytes(600_000)  # noqa: S311 - must only be incompressible
        content = {"uri": f"docs://{name}", "blob": base64.b64encode(noise).decode()}
        labels = {"labels": {"team": "shop"}}
        spec = {"name": name, "content": content}
        bench.cluster.put("MCPResource", name, metadata=labels, spec=spec)


@pytest.mark.looptime
async def test_the_index_is_not_applied_after_a_rejected_shard(bench: Bench) -> None:
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
async def test_the_replicas_are_kept_when_an_autoscaler_is_added(bench: Bench) -> None:
    bench.cluster.server("shop", replicas=3)
    await bench.reconcile()
    scaling = {"maxReplicas": 9, "targetCPUUtilizationPercentage": 80}
    selector = {"matchLabels": {"team": "shop"}}
    spec = {"toolSelector": selector, "autoscaling": scaling}
    bench.cluster.put("MCPServer", "shop", spec=spec)
    bench.cluster.writes.clear()
    await bench.reconcile()
    [handed_over, *others] = [
        (verb, obj) for verb, obj in bench.cluster.writes if obj["kind"] == "Deployment"
    ]
    assert handed_over[0] == "apply as mcp-operator-autoscaling"
    assert handed_over[1]["spec"] == {"replicas": 3}
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
async def test_a_child_that_cannot_be_deleted_is_reported(bench: Bench) -> None:
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
async def test_a_server_that_cannot_be_parsed_is_invalid_and_keeps_its_catalog(
    bench: Bench,
) -> None:
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
async def test_a_server_with_a_reserved_variable_is_invalid_and_not_deployed(
    bench: Bench,
) -> None:
    env = [{"name": "MCP_OPERATOR_SERVICES", "value": "a/b:80=169.254.169.254:80"}]
    bench.cluster.server("shop", env=env)
    assert await bench.reconcile() is None
    status, reason, message = bench.cluster.conditions("MCPServer", "shop")["Accepted"]
    assert (status, reason) == ("False", "Invalid")
    assert "MCP_OPERATOR_SERVICES" in message
    assert not any(obj["kind"] == "Deployment" for _, obj in bench.cluster.writes)


@pytest.mark.looptime
@pytest.mark.parametrize("how", ["gone", "going"])
async def test_nothing_is_kept_in_memory_of_a_deleted_server(bench: Bench, how: str) -> None:
    raw = bench.cluster.tool("search")
    bench.pod()
    await bench.settled()
    assert bench.reconciler._catalogs._results
    if how == "gone":
        bench.cluster.remove("MCPServer", "shop")
    else:
        bench.cluster.put("MCPServer", "shop", metadata={"deletionTimestamp": "now"})
    writes = len(bench.cluster.writes)
    assert await bench.reconcile() is None
    assert len(bench.cluster.writes) == writes
    assert bench.reconciler._catalogs._results == {}
    assert not bench.confirmed_objects.includes(SHOP, await bench.compiler.compile(raw))
    assert bench.confirmations._servers == {}


@pytest.mark.looptime
async def test_a_recreated_server_does_not_take_over_the_children_of_the_old_one(
    bench: Bench,
) -> None:
    await bench.reconcile()
    bench.cluster.remove("MCPServer", "shop")
    bench.cluster.server()
    assert await bench.reconcile() == PROBLEM_RETRY_SECONDS
    assert bench.reason("Programmed") == ("False", "Conflict")
