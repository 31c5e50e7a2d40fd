"""The management port of a gateway: readiness, the served catalog, metrics."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.api.limits import RateLimit, RateLimits
from mcp_operator.gateway.front import management
from mcp_operator.gateway.metrics import GatewayMetrics
from mcp_operator.gateway.table import Current
from support.entries import tool
from support.mcp_http import modern, table
from support.running_gateway import read, running


async def test_a_gateway_is_ready_once_it_has_a_catalog() -> None:
    async with running() as gateway:
        assert await gateway.manage("/livez") == (200, "ok\n")
        assert await gateway.manage("/readyz") == (200, "ok\n")

        gateway.current.table = None
        assert await gateway.manage("/readyz") == (503, "no catalog has been loaded yet\n")
        assert await gateway.catalog() == {"digest": "", "generation": 0}
        assert await gateway.manage("/livez") == (200, "ok\n")


async def test_the_catalog_endpoint_reports_the_served_catalog() -> None:
    async with running() as gateway:
        served = gateway.current.table
        assert served is not None

        report = await gateway.catalog()

        assert report["digest"] == served.digest
        assert (report["tools"], report["prompts"], report["resources"]) == (1, 0, 0)
        assert (report["generation"], report["shards"], report["rejected"]) == (1, 0, {})
        assert report["loadedAt"].endswith("Z")


async def test_a_request_that_waits_for_a_catalog_returns_when_it_is_served() -> None:
    async with running() as gateway:
        before, new = len(gateway.current._subscribers), table(tool("b"))
        waiting = asyncio.ensure_future(gateway.catalog(f"?digest={new.digest}&wait=20"))
        while len(gateway.current._subscribers) < before + 1:
            await gateway.manage("/livez")

        gateway.current.swap(table(tool("c")))
        gateway.current.swap(new)

        assert (await waiting)["digest"] == new.digest
        assert len(gateway.current._subscribers) == before


async def test_waiting_for_a_catalog_ends_after_the_requested_time() -> None:
    async with running() as gateway:
        report = await gateway.catalog("?digest=unheard&wait=0.01")

        assert report["tools"] == 1


async def test_a_request_for_the_served_catalog_does_not_wait() -> None:
    async with running() as gateway:
        assert gateway.current.table is not None
        digest = gateway.current.table.digest

        assert (await gateway.catalog(f"?digest={digest}&wait=30"))["digest"] == digest


async def test_requests_over_the_limit_do_not_wait_for_a_catalog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(management, "MAX_WAITERS", 1)
    async with running() as gateway:
        before, new = len(gateway.current._subscribers), table(tool("b"))
        waiting = asyncio.ensure_future(gateway.catalog(f"?digest={new.digest}&wait=20"))
        while len(gateway.current._subscribers) < before + 1:
            await gateway.manage("/livez")

        assert (await gateway.catalog(f"?digest={new.digest}&wait=20"))["digest"] != new.digest
        gateway.current.swap(new)
        assert (await waiting)["digest"] == new.digest
        gateway.current.swap(table(tool("c")))
        again = asyncio.ensure_future(gateway.catalog(f"?digest={new.digest}&wait=20"))
        while len(gateway.current._subscribers) < before + 1:
            await gateway.manage("/livez")
        gateway.current.swap(new)
        assert (await again)["digest"] == new.digest


async def test_the_management_port_refuses_invalid_requests() -> None:
    async with running() as gateway:
        assert (await gateway.manage("/catalog?digest=x&wait=soon"))[0] == 400
        assert (await gateway.manage("/other"))[0] == 404
        url = f"http://127.0.0.1:{gateway.app.management_port}/livez"
        async with gateway.client.post(url) as answer:
            assert answer.status == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:8081"}, 403),
        ({"host": "10.0.0.1:8081"}, 200),
        ({"host": "[fd00::1]:8081"}, 200),
        ({"host": "localhost"}, 200),
        ({"host": ""}, 200),
        ({"origin": "http://localhost"}, 403),
    ],
)
async def test_a_web_page_cannot_reach_the_management_port(
    headers: dict[str, str], status: int
) -> None:
    async with running() as gateway:
        url = f"http://127.0.0.1:{gateway.app.management_port}/livez"
        async with gateway.client.get(url, headers=headers) as answer:
            assert answer.status == status


async def test_requests_are_counted_and_timed() -> None:
    async with running() as gateway:
        await read(gateway, modern("tools/call", {"name": "add"}))
        await read(gateway, modern("tools/call", {"name": "add"}))
        await read(gateway, modern("tools/call", {"name": "missing"}))
        await read(gateway, modern("no/such"))

        labels = {"method": "tools/call", "era": "modern"}
        assert await gateway.metric("mcp_requests_total", **labels, outcome="ok") == 2
        assert await gateway.metric("mcp_requests_total", **labels, outcome="error") == 1
        assert await gateway.metric("mcp_request_duration_seconds_count", **labels) == 3
        labels = {"method": "other", "era": "modern"}
        assert await gateway.metric("mcp_requests_total", **labels, outcome="error") == 1
        assert await gateway.metric("mcp_tool_calls_total", tool="add", outcome="ok") == 2
        assert await gateway.metric("mcp_tool_call_duration_seconds_count", tool="add") == 2
        assert await gateway.metric("mcp_requests_in_flight") == 0


async def test_calls_over_a_limit_are_counted_for_each_limit_from_zero() -> None:
    once = RateLimit(requests=1, seconds=3600, burst=1)
    async with running(rate_limits=RateLimits(per_client=once)) as gateway:
        assert await gateway.metric("mcp_limited_calls_total", limit="perClient") == 0
        for _ in range(3):
            await read(gateway, modern("tools/call", {"name": "add"}))
        assert await gateway.metric("mcp_limited_calls_total", limit="perClient") == 2
        assert await gateway.metric("mcp_limited_calls_total", limit="shared") == 0
        labels = {"method": "tools/call", "era": "modern"}
        assert await gateway.metric("mcp_requests_total", **labels, outcome="rejected") == 2
        assert await gateway.metric("mcp_tool_calls_total", tool="add", outcome="ok") == 1


async def test_a_tool_removed_from_the_catalog_is_removed_from_the_metrics() -> None:
    async with running() as gateway:
        await read(gateway, modern("tools/call", {"name": "add"}))

        gateway.current.swap(table(tool("other")))

        assert await gateway.metric("mcp_tool_calls_total", tool="add", outcome="ok") is None
        assert await gateway.metric("mcp_catalog_entries", kind="tool") == 1


async def test_metrics_report_the_digest_and_load_time_of_the_served_catalog() -> None:
    async with running() as gateway:
        old, new = gateway.current.table, table(tool("b"))
        assert old is not None
        assert gateway.current.loaded_at is not None
        gateway.current.swap(new)

        assert await gateway.metric("mcp_catalog_info", digest=new.digest) == 1
        assert await gateway.metric("mcp_catalog_info", digest=old.digest) is None
        loaded = gateway.current.loaded_at.timestamp()
        assert await gateway.metric("mcp_catalog_loaded_timestamp_seconds") == pytest.approx(loaded)


def test_a_catalog_that_was_loaded_before_the_metrics_exist_is_in_them() -> None:
    current, registry = Current(), CollectorRegistry()
    current.swap(table(tool("a"), tool("b")))
    assert current.table is not None
    assert current.loaded_at is not None

    GatewayMetrics(registry, current)

    digest = {"digest": current.table.digest}
    assert registry.get_sample_value("mcp_catalog_info", digest) == 1
    assert registry.get_sample_value("mcp_catalog_entries", {"kind": "tool"}) == 2
    loaded = registry.get_sample_value("mcp_catalog_loaded_timestamp_seconds")
    assert loaded == pytest.approx(current.loaded_at.timestamp())
