"""The children of an MCPServer, and its status until its pods have confirmed the catalog."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from mcp_operator.api.shards import INDEX_KEY, Index
from mcp_operator.builders.resources import CONFIGMAPS, DEPLOYMENTS, SECRETS
from mcp_operator.controllers import mcpserver
from mcp_operator.controllers.mcpserver import (
    CONFIRM_GRACE_SECONDS,
    PROBLEM_RETRY_SECONDS,
)
from mcp_operator.core.meta import Key, uid_of
from support.server_bench import DIRECT, LOGIN, SHOP, Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.confirmations.close()


@pytest.mark.looptime
async def test_the_catalog_of_selected_objects_is_written_to_the_config_map(bench: Bench) -> None:
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
async def test_a_server_is_programmed_when_its_pods_have_confirmed(bench: Bench) -> None:
    raw = bench.cluster.tool("search")
    bench.pod()
    wait = await bench.reconcile()
    assert wait is not None
    assert 0 < wait <= CONFIRM_GRACE_SECONDS
    assert bench.status == {}
    await bench.settled()
    assert bench.reason("Programmed") == ("True", "Programmed")
    assert bench.status["syncedReplicas"] == 1
    assert bench.confirmed_objects.includes(SHOP, await bench.compiler.compile(raw))
    bench.available()
    assert await bench.reconcile() is None
    assert bench.reason("Ready") == ("True", "Ready")


@pytest.mark.looptime
async def test_pods_that_do_not_confirm_are_reported_after_the_grace_period(bench: Bench) -> None:
    raw = bench.cluster.tool("search")
    bench.pod()
    bench.serves = "nothing"
    await bench.settled()
    assert bench.reason("Programmed") == ("False", "Propagating")
    assert not bench.confirmed_objects.includes(SHOP, await bench.compiler.compile(raw))
    assert await bench.reconcile() == PROBLEM_RETRY_SECONDS


@pytest.mark.looptime
async def test_pods_that_are_not_ready_are_not_asked(bench: Bench) -> None:
    bench.pod(ready=False)
    assert await bench.reconcile() is None
    assert bench.reason("Programmed") == ("False", "NoReadyPods")


@pytest.mark.looptime
async def test_the_last_sync_time_changes_only_with_the_catalog(bench: Bench) -> None:
    await bench.reconcile()
    assert bench.status["lastSyncTime"] == "2026-01-01T12:00:00Z"
    bench.cluster.put("MCPServer", "shop", status=bench.status | {"lastSyncTime": "2025"})
    await bench.reconcile()
    assert bench.status["lastSyncTime"] == "2025"
    bench.cluster.tool("search")
    await bench.reconcile()
    assert bench.status["lastSyncTime"] == "2026-01-01T12:00:00Z"


@pytest.mark.looptime
async def test_a_reconciliation_without_a_change_writes_and_assembles_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.cluster.tool("search")
    bench.cluster.tool("broken", method="TRACE")
    await bench.reconcile()
    writes = len(bench.cluster.writes)
    monkeypatch.setattr(mcpserver, "build_server_catalog", None)
    await bench.reconcile()
    assert len(bench.cluster.writes) == writes


@pytest.mark.looptime
async def test_nothing_is_kept_of_an_object_deleted_while_others_are_compiled(
    bench: Bench,
) -> None:
    bench.cluster.put("Secret", "login", data={"token": ""})
    bench.cluster.tool("first", request=LOGIN)
    uid = uid_of(bench.cluster.tool("second"))

    def go(_: Key) -> None:
        if bench.cluster.cache.parser.knows(uid):
            bench.cluster.remove("MCPTool", "second")
            bench.cluster.cache.parser.forget(uid)
            bench.compiler.forget(uid)

    bench.cluster.on_read = go
    await bench.reconcile()
    assert not bench.cluster.cache.parser.knows(uid)
    assert [tool.name for tool in bench.catalog().tools] == ["first"]


@pytest.mark.looptime
async def test_objects_that_are_not_served_are_listed(bench: Bench) -> None:
    bench.cluster.tool("older", name="search")
    bench.cluster.tool("search")
    bench.cluster.tool("lost", service={"name": "none", "port": 80})
    await bench.reconcile()
    assert [one["name"] for one in bench.status["rejected"]] == ["lost", "search"]
    assert bench.status["rejectedCount"] == 2
    assert bench.reason("Degraded") == ("True", "ObjectsRejected")
    assert bench.reason("ResolvedRefs") == ("False", "ObjectsUnresolved")


@pytest.mark.looptime
async def test_an_object_that_lost_its_name_is_not_recorded_as_served(bench: Bench) -> None:
    older = bench.cluster.tool("older", name="search")
    younger = bench.cluster.tool("search")
    bench.pod()
    await bench.settled()
    assert bench.confirmed_objects.includes(SHOP, await bench.compiler.compile(older))
    assert not bench.confirmed_objects.includes(SHOP, await bench.compiler.compile(younger))


@pytest.mark.looptime
async def test_pods_can_read_only_the_secrets_of_the_catalog(
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
    assert secrets["resourceNames"] == ["login", "mcp-server-shop-keys"]
    assert secrets["verbs"] == ["get"]
    assert "aHVzaA==" not in str([obj for _, obj in bench.cluster.writes])


@pytest.mark.looptime
async def test_in_mode_direct_the_files_are_mounted_and_no_pod_is_asked(bench: Bench) -> None:
    bench.cluster.server("shop", **DIRECT)
    raw = bench.cluster.tool("search")
    bench.pod()
    bench.serves = "nothing"
    assert await bench.reconcile() is None
    assert sorted(bench.child(CONFIGMAPS)["data"]) == [
        "catalog.json",
        "prompts.json",
        "resources.json",
        "tools.json",
    ]
    assert bench.reason("Programmed") == ("Unknown", "NotReported")
    assert "syncedReplicas" not in bench.status
    assert bench.confirmed_objects.includes(SHOP, await bench.compiler.compile(raw))


@pytest.mark.looptime
async def test_in_mode_direct_pods_that_report_are_asked_for_the_digest_of_the_files(
    bench: Bench,
) -> None:
    bench.cluster.server("shop", **DIRECT, direct={"reportsCatalog": True})
    bench.cluster.tool("search")
    bench.pod()
    bench.serves = "nothing"
    await bench.settled()
    assert bench.reason("Programmed") == ("False", "Propagating")
    bench.serves = None
    await bench.settled()
    digest = json.loads(bench.child(CONFIGMAPS)["data"]["catalog.json"])["digest"]
    assert bench.status["configHash"] == digest
    assert bench.reason("Programmed") == ("True", "Programmed")
    assert bench.status["syncedReplicas"] == 1


@pytest.mark.looptime
async def test_in_mode_direct_files_that_are_too_large_do_not_replace_the_last_ones(
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
