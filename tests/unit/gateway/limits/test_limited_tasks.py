"""Limits on requests for tasks: polls at the advertised interval do not count."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mcp_operator.api.limits import RateLimit, RateLimits
from mcp_operator.gateway.limits.polls import BURST, Polls
from mcp_operator.gateway.protocol.message import HttpRequest
from support.mcp_http import Server
from support.serving_tasks import begin, look, report, serving
from support.task_values import JOB, taking_tasks

pytestmark = pytest.mark.looptime

ONE_AN_HOUR = RateLimit(requests=1, seconds=3600, burst=1)
THREE_AN_HOUR = RateLimit(requests=3, seconds=3600, burst=3)


def limited(rate: RateLimit, **more: RateLimit) -> RateLimits:
    return RateLimits(per_client=rate, **more)


def asking(task_id: object, method: str = "tasks/get", address: str = "") -> HttpRequest:
    params = {"taskId": task_id, "inputResponses": {}}
    return replace(taking_tasks(method, params), address=address)


async def status(server: Server, request: HttpRequest) -> int:
    return (await server.respond(request)).status


async def begun(server: Server) -> str:
    server.executor.results["report"], server.executor.looks = JOB, [JOB]
    return await begin(server)


async def test_polling_at_the_advertised_interval_does_not_count() -> None:
    async with serving(report(), rate_limits=limited(ONE_AN_HOUR)) as server:
        task_id = await begun(server)
        for _ in range(100):
            shown = await look(server, task_id)
            await asyncio.sleep(shown["pollIntervalMs"] / 1000)
        assert server.observer.limits == []


async def test_polling_many_tasks_at_the_interval_does_not_count() -> None:
    rate = RateLimit(requests=20, seconds=3600, burst=20)
    async with serving(report(), rate_limits=limited(rate)) as server:
        tasks = [await begun(server) for _ in range(20)]
        for _ in range(10):
            for each in tasks:
                await look(server, each)
            await asyncio.sleep(5)
        assert server.observer.limits == []


async def test_polling_faster_than_the_interval_counts_as_calls() -> None:
    async with serving(report(), rate_limits=limited(THREE_AN_HOUR)) as server:
        task_id = await begun(server)
        found = [await status(server, asking(task_id)) for _ in range(BURST + 4)]
        assert found == [200] * (BURST + 2) + [429] * 2
        assert server.observer.limits == ["perClient"] * 2

        await asyncio.sleep(5)
        assert await status(server, asking(task_id)) == 200


@pytest.mark.parametrize("method", ["tasks/update", "tasks/cancel"])
async def test_updates_and_cancellations_of_tasks_count_as_calls(method: str) -> None:
    async with serving(report(), rate_limits=limited(THREE_AN_HOUR)) as server:
        task_id = await begun(server)
        found = [await status(server, asking(task_id, method)) for _ in range(3)]
        assert found == [200, 200, 429]


@pytest.mark.parametrize("task_id", ["0" * 32, 7, None])
async def test_polling_a_task_that_does_not_exist_counts_as_calls(task_id: object) -> None:
    async with serving(report(), rate_limits=limited(THREE_AN_HOUR)) as server:
        found = [await status(server, asking(task_id)) for _ in range(4)]
        assert found == [200, 200, 200, 429]


async def test_polls_of_one_client_do_not_count_toward_the_limit_of_another() -> None:
    async with serving(report(), rate_limits=limited(ONE_AN_HOUR)) as server:
        task_id = await begun(server)
        other = [await status(server, asking(task_id, address="192.0.2.7")) for _ in range(9)]
        assert 429 in other
        assert [await status(server, asking(task_id)) for _ in range(BURST)] == [200] * BURST


async def test_polls_count_only_toward_the_limit_of_the_client() -> None:
    shared = RateLimit(requests=1, seconds=3600, burst=1)
    async with serving(report(), rate_limits=RateLimits(shared=shared)) as server:
        task_id = await begun(server)
        assert [await status(server, asking(task_id)) for _ in range(9)] == [200] * 9


async def test_a_shorter_poll_interval_applies_at_once() -> None:
    polls = Polls()
    polls.told("a", "1", 3600.0)
    assert [polls.take("a", "1") for _ in range(3)] == [True, True, False]
    polls.told("a", "1", 5.0)
    await asyncio.sleep(5)
    assert polls.take("a", "1")


async def test_the_oldest_task_is_evicted_when_the_table_is_full() -> None:
    polls = Polls(capacity=2)
    for task_id in ("1", "2", "3"):
        polls.told("a", task_id, 5.0)
    assert len(polls) == 2
    assert [polls.take("a", each) for each in ("1", "2", "3")] == [False, True, True]
