"""Tasks of a server with several gateways that share a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from mcp_operator.api.catalog import JsonObject, TaskPolicy, ToolEntry
from mcp_operator.gateway.contract import Job
from mcp_operator.gateway.redis.link import RedisLink
from mcp_operator.gateway.tasks import shared
from support.entries import tool
from support.fake_executor import text_result
from support.mcp_http import Server, modern
from support.redis_links import Links, Shared, until_away, until_up
from support.redis_server import RedisServer
from support.serving_tasks import begin, look
from support.task_values import taking_tasks
from support.waiting import eventually

SOON = Job("/jobs/7", 0.05)
DONE = text_result("done")


class Replica(Server):
    """A gateway with a link to Redis."""

    def __init__(self, entry: ToolEntry, link: RedisLink) -> None:
        super().__init__(entry, redis_link=Shared(link), redis=link.settings)
        self.link = link
        self.endpoint.start()


def report(mode: str = "Auto") -> ToolEntry:
    return tool("report", task=TaskPolicy.model_validate({"mode": mode, "pollSeconds": 1}))


@asynccontextmanager
async def replicas(
    links: Links, port: int, entry: ToolEntry, failure_mode: str = "Open", *, patient: bool = True
) -> AsyncIterator[tuple[Replica, Replica]]:
    """Run two gateways."""
    found = []
    for _ in range(2):
        link = links.start(port, patient=patient, failure_mode=failure_mode)
        await until_up(link)
        found.append(Replica(entry, link))
    try:
        yield found[0], found[1]
    finally:
        for each in found:
            each.endpoint.close_streams()
            await each.endpoint.close()


def status_at(server: Server, task_id: str) -> Callable[[], Awaitable[str]]:
    async def status() -> str:
        shown: JsonObject = await look(server, task_id)
        return str(shown["status"])

    return status


def kill(server: Server) -> None:
    """Stop the task runner of a gateway, as if its pod had been killed."""
    runner = server.endpoint._core.tasks.runner
    for step, _ in runner._steps.values():
        step.cancel()
    assert runner._loop is not None
    runner._loop.cancel()


async def test_a_task_that_either_gateway_polls_is_found_by_both(
    redis: RedisServer, links: Links
) -> None:
    async with replicas(links, redis.port, report()) as (one, other):
        for server in (one, other):
            server.executor.results["report"], server.executor.looks = SOON, [SOON, DONE]
        task_id = await begin(one)
        await eventually(status_at(other, task_id), "completed")
        assert (await look(one, task_id))["result"] == (await look(other, task_id))["result"]


async def test_another_gateway_continues_the_tasks_of_a_killed_one(
    redis: RedisServer, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LEASE_SECONDS", 0.2)
    async with replicas(links, redis.port, report()) as (one, other):
        other.endpoint.close_streams()  # so that it claims no task
        one.executor.results["report"], one.executor.looks = SOON, [None]
        task_id = await begin(one)

        async def is_looking() -> bool:
            return bool(one.executor.looked)

        await eventually(is_looking, expected=True)
        kill(one)
        third = Replica(report(), other.link)
        third.executor.looks = [DONE]
        await eventually(status_at(third, task_id), "completed")
        third.endpoint.close_streams()
        await third.endpoint.close()


async def test_cancelling_a_task_at_one_gateway_cancels_the_call_at_the_other(
    redis: RedisServer, links: Links
) -> None:
    async with replicas(links, redis.port, report("Always")) as (one, other):
        for server in (one, other):
            server.executor.gate.clear()
        task_id = await begin(one)

        async def callers() -> int:
            return len(one.executor.calls) + len(other.executor.calls)

        await eventually(callers, 1)
        idle = other if one.executor.calls else one
        await idle.result(taking_tasks("tasks/cancel", {"taskId": task_id}))

        async def cancelled() -> list[str]:
            return one.executor.cancelled + other.executor.cancelled

        await eventually(cancelled, ["report"])
        assert await status_at(one, task_id)() == "cancelled"


async def test_a_result_is_saved_once_redis_responds_again(
    redis: RedisServer, links: Links
) -> None:
    async with replicas(links, redis.port, report("Always"), patient=False) as (one, other):
        for server in (one, other):
            server.executor.gate.clear()
        task_id = await begin(one)

        async def callers() -> int:
            return len(one.executor.calls) + len(other.executor.calls)

        await eventually(callers, 1)
        caller = one if one.executor.calls else other

        async def away() -> bool:
            return not caller.link.is_up

        with redis.stopped():
            for server in (one, other):
                server.executor.gate.set()
            await eventually(away, expected=True)

        async def outcomes() -> list[tuple[str, str]]:
            return list(caller.observer.tools)

        await eventually(outcomes, [("report", "ok")])
        assert await status_at(other, task_id)() == "completed"


@pytest.mark.parametrize(
    ("mode", "failure_mode", "served"),
    [("Auto", "Open", True), ("Auto", "Closed", False), ("Always", "Open", False)],
)
async def test_without_redis_a_call_waits_or_is_refused_according_to_the_modes(
    redis: RedisServer,
    links: Links,
    mode: str,
    failure_mode: str,
    served: bool,  # noqa: FBT001
) -> None:
    async with replicas(links, redis.port, report(mode), failure_mode) as (one, _):
        one.executor.results["report"] = SOON
        redis.kill()
        await until_away(one.link, "Connection refused")
        answer = await one.respond(taking_tasks("tools/call", {"name": "report"}))
        assert (answer.status == 200, b"waited for /jobs/7" in answer.body) == (served, served)
        if not served:
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        plain = await one.respond(modern("tools/call", {"name": "report"}))
        assert plain.status == (400 if mode == "Always" else 200)
