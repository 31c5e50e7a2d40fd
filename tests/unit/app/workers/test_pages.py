"""The combined pages of several workers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from mcp_operator.api.catalog import JsonObject
from mcp_operator.app.workers.adding_up import Totals
from mcp_operator.app.workers.pages import AllPages, together
from support.entries import tool
from support.mcp_http import table
from support.running_gateway import Running, running


class Asked:
    """A worker, which may have ended."""

    def __init__(self, number: int, port: int | None) -> None:
        self.number = number
        self.management_port = port


@asynccontextmanager
async def two() -> AsyncIterator[tuple[AllPages, list[Running], list[Asked]]]:
    """Two gateways as workers, and a metric of the parent."""
    async with AsyncExitStack() as stack:
        gateways = [await stack.enter_async_context(running()) for _ in range(2)]
        asked = [Asked(n, each.app.management_port) for n, each in enumerate(gateways)]
        registry = CollectorRegistry()
        Counter("restarts_total", "Restarts.", registry=registry).inc()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield AllPages(asked, Totals(), registry, session), gateways, asked


async def test_the_gateway_is_ready_when_every_worker_is_ready() -> None:
    async with two() as (pages, _, asked):
        assert await pages.unready() == ""
        asked[1].management_port = None
        assert await pages.unready() == "worker 1 is not running"


async def test_the_gateway_is_not_ready_when_one_worker_drains() -> None:
    async with two() as (pages, gateways, _):
        gateways[1].app._draining = True
        assert await pages.unready() == "worker 1: draining: this process is stopping"


async def test_a_worker_that_restarts_or_has_just_ended_does_not_fail_the_liveness_check() -> None:
    async with two() as (pages, gateways, asked):
        asked[0].management_port = None
        assert await pages.dead() == ""
        await gateways[1].app.stop()  # the parent has not noticed it yet
        assert await pages.dead() == ""
        assert await pages.unready() == "worker 0 is not running"


async def test_a_worker_that_does_not_answer_fails_the_liveness_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_operator.app.workers.pages.ANSWER_SECONDS", 0.2)
    silent = socket.create_server(("127.0.0.1", 0))  # accepts nothing, like a blocked event loop
    with silent:
        async with two() as (pages, _, asked):
            asked[0].management_port = silent.getsockname()[1]
            assert await pages.dead() == "worker 0 does not answer"
            assert await pages.unready() == "worker 0 does not answer"
            assert (await pages.catalog("wanted", 0.0))["digest"] == ""
            assert b"restarts_total 1.0" in await pages.metrics()


async def test_metrics_of_a_worker_that_restarts_during_the_request_are_not_counted_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted: list[Hashable] = []
    monkeypatch.setattr(Totals, "note", lambda _, worker, text: noted.append(worker))
    async with two() as (pages, gateways, asked):
        asking = asyncio.create_task(pages.metrics())
        await asyncio.sleep(0)
        asked[0].management_port = gateways[1].app.management_port
        await asking
    assert noted == [1, "parent"]


async def test_a_worker_that_restarts_during_the_request_passes_the_liveness_check() -> None:
    async with two() as (pages, gateways, asked):
        await gateways[0].app.stop()
        asking = asyncio.create_task(pages.dead())
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # now the requests to both are in progress
        asked[0].management_port = gateways[1].app.management_port
        assert await asking == ""


async def test_a_catalog_is_reported_when_every_worker_serves_it() -> None:
    async with two() as (pages, gateways, asked):
        new = table(tool("b"))
        gateways[0].current.swap(new)
        assert (await pages.catalog(new.digest, 0.0))["digest"] != new.digest

        gateways[1].current.swap(new)
        assert (await pages.catalog(new.digest, 30.0))["digest"] == new.digest

        asked[1].management_port = None
        assert (await pages.catalog(new.digest, 0.0))["digest"] == ""


def report(digest: str, day: int, lacks: str = "") -> JsonObject:
    return {"digest": digest, "loadedAt": f"2026-01-0{day}T00:00:00.000000Z", "lacks": lacks}


def test_without_a_wanted_digest_the_oldest_of_several_is_reported() -> None:
    old, new = report("a", 1), report("b", 2)
    assert together([new, old], "") == old
    assert together([new, old], "a") == new
    assert together([new, old], "b") == old
    later = report("a", 3)
    assert together([later, old], "") == later, "all have served it since then"


def test_a_lack_of_one_worker_is_reported() -> None:
    lacking = report("a", 1, "the key has not been read yet")
    assert together([report("a", 2), lacking], "a")["lacks"] == lacking["lacks"]


def test_a_redis_that_one_worker_cannot_reach_is_reported() -> None:
    fine, away = report("a", 2) | {"redis": ""}, report("a", 1) | {"redis": "gone"}
    assert together([fine, away], "a")["redis"] == "gone"
    assert together([fine, fine], "a")["redis"] == ""
    assert "redis" not in together([report("a", 1), report("a", 2)], "a")


async def test_the_metrics_include_those_of_all_workers_and_of_the_parent() -> None:
    async with two() as (pages, gateways, _):
        for each in gateways:
            each.current.swap(table(tool("a"), tool("b")))
        shown = (await pages.metrics()).decode()
        assert 'mcp_catalog_entries{kind="tool"} 2.0' in shown
        assert "restarts_total 1.0" in shown
