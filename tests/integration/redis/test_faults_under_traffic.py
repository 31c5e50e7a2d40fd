"""Redis fails while two gateways use it for everything and clients keep calling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest

from mcp_operator.api.catalog import JsonObject, Redis
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.tasks import shared
from support.processes import ProcessGroup
from support.redis_links import Values, secret
from support.redis_replicas import Replica, Traffic, Work, replicas, traffic
from support.redis_server import RedisServer, sentinel_of
from support.task_values import taking_tasks
from support.tcp_proxy import tcp_proxy
from support.waiting import eventually, hang_guard

USER: Final = ("--user", "shop", "on", ">right", "~*", "&*", "+@all")
KEYS: Final = "test:{mcp:demo/shop}:"


@pytest.fixture(autouse=True)
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the lease, so that a task whose claim timed out can be claimed again soon."""
    monkeypatch.setattr(shared, "LEASE_SECONDS", 2.0)


@dataclass
class Target:
    """What a fault acts on.

    Attributes:
        redis: The Redis, or the primary.
        values: User and password, as the gateways read them.
        delay: Seconds by which replies are delayed.
    """

    redis: RedisServer
    values: Values
    delay: float = 0.0


@asynccontextmanager
async def killed(target: Target) -> AsyncIterator[None]:
    target.redis.kill()
    yield
    await target.redis.start(*USER)


@asynccontextmanager
async def stopped(target: Target) -> AsyncIterator[None]:
    with target.redis.stopped():
        yield


@asynccontextmanager
async def slowed(target: Target) -> AsyncIterator[None]:
    target.delay = 0.5
    yield
    target.delay = 0.0


@asynccontextmanager
async def read_only(target: Target) -> AsyncIterator[None]:
    await target.redis.ask("REPLICAOF", "127.0.0.1", 1)  # no server listens there
    yield
    await target.redis.ask("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def refusing_the_password(target: Target) -> AsyncIterator[None]:
    await target.redis.ask("ACL", "SETUSER", "shop", "resetpass", ">other")
    await target.redis.ask("CLIENT", "KILL", "USER", "shop")
    yield
    target.values.values["word"] = "other"


Fault = Callable[[Target], AbstractAsyncContextManager[None]]


@pytest.mark.parametrize(
    ("fault", "keeps_data"),
    [
        (killed, False),
        (stopped, True),
        (slowed, True),
        (read_only, True),
        (refusing_the_password, True),
    ],
)
async def test_no_call_fails_while_redis_is_unavailable(
    servers: ProcessGroup, fault: Fault, *, keeps_data: bool
) -> None:
    redis = RedisServer(servers)
    await redis.start(*USER)
    target = Target(redis, Values(user="shop", word="right"))
    async with (
        tcp_proxy(redis.port, delay=lambda: target.delay) as port,
        replicas(settings(port), target.values) as (one, other),
        traffic(one, other) as calls,
    ):
        before = await Before.made(one, other)
        async with fault(target):
            await is_done_without(one, other, calls)
            before.work.ends.set()
        await is_used_again(one, other, calls)
        await before.is_known(one, other, keeps_data=keeps_data)
    assert calls.failed == []


async def test_no_call_fails_while_sentinels_fail_over(servers: ProcessGroup) -> None:
    redis, replica = RedisServer(servers), RedisServer(servers, "replica")
    sentinel = RedisServer(servers, "sentinel")
    await redis.start(*USER)
    await replica.start(*USER, "--replicaof", f"127.0.0.1 {redis.port}")
    await sentinel.start(config=sentinel_of(redis.port))

    async def known() -> int:
        return len(await sentinel.ask("SENTINEL", "REPLICAS", "shop"))

    async def copied() -> object:
        return await replica.ask("GET", "marker")

    await eventually(known, 1)
    values = Values(user="shop", word="right")
    async with (
        replicas(settings(sentinel.port, master_name="shop"), values) as (one, other),
        traffic(one, other) as calls,
    ):
        before = await Before.made(one, other)
        await redis.ask("SET", "marker", "1")
        await eventually(copied, b"1")
        redis.kill()
        for each in (one, other):
            await eventually(each.is_up, expected=False)
        before.work.ends.set()
        await is_used_again(one, other, calls)
        await before.is_known(one, other, keeps_data=True)
    assert calls.failed == []


async def test_no_call_fails_when_redis_loses_its_data(servers: ProcessGroup) -> None:
    redis = RedisServer(servers)
    await redis.start(*USER)
    values = Values(user="shop", word="right")
    async with replicas(settings(redis.port), values) as (one, other):
        async with traffic(one, other) as calls:
            before = await Before.made(one, other)
            await redis.ask("FLUSHALL")
            await redis.ask("SCRIPT", "FLUSH")
            await calls.more()
            before.work.ends.set()
            await is_used_again(one, other, calls)
            await before.is_known(one, other, keeps_data=False)
        assert calls.failed == []


def settings(port: int, **more: Any) -> Redis:
    user, word = secret("user"), secret("word")
    return Redis(host="127.0.0.1", port=port, keys=KEYS, username=user, password=word, **more)


@dataclass
class Before:
    """What clients have before Redis fails.

    Attributes:
        ended: A session that was deleted at the first gateway.
        task: A task that is in progress.
        work: The work of the task.
    """

    ended: str
    task: str
    work: Work

    @classmethod
    async def made(cls, one: Replica, other: Replica) -> Before:
        work = Work(one, other)
        task = await begun_task(one)
        async with hang_guard():
            await work.began.wait()
        return cls(await ended_everywhere(one, other), task, work)

    async def is_known(self, one: Replica, other: Replica, *, keeps_data: bool) -> None:
        """Expect that the gateways know the session and the task from before, or neither."""

        async def sessions() -> tuple[bool, bool]:
            return await one.knows(self.ended), await other.knows(self.ended)

        await eventually(sessions, (False, not keeps_data))
        for each in (one, other):
            status = "completed" if keeps_data else "unknown"
            await eventually(partial(status_of, each, self.task), status)


async def is_done_without(one: Replica, other: Replica, calls: Traffic) -> None:
    """Expect what docs/how-to/redis.md says about an unavailable Redis, and no requests to it."""
    for each in (one, other):
        await eventually(each.is_up, expected=False)
    asked = one.dialer.asked, other.dialer.asked
    await calls.more()

    session = await one.initialize()
    assert await other.knows(session)
    await one.subscribe(session)
    assert await one.tells(session)
    await one.end(session)
    assert (await one.knows(session), await other.knows(session)) == (False, True)

    await asyncio.gather(*(has_no_tasks(each) for each in (one, other)))
    await calls.more()
    assert (one.dialer.asked, other.dialer.asked) == asked


async def has_no_tasks(at: Replica) -> None:
    """Expect that a call waits if the tool allows it, and is refused if the tool needs a task."""
    report, build, known = await asyncio.gather(
        at.ask(calling("report")), at.ask(calling("build")), status_of(at, "0" * 32)
    )
    status, answer = report
    assert (status, answer["result"]["content"][0]["text"]) == (200, "waited for /jobs/7")
    status, answer = build
    assert (status, answer["error"]["code"]) == (503, spec.OVERLOADED)
    assert known == "503"


async def is_used_again(one: Replica, other: Replica, calls: Traffic) -> None:
    """Expect that both gateways share everything again."""
    for each in (one, other):
        await eventually(each.is_up, expected=True)
    await calls.more()
    await ended_everywhere(one, other)
    task = await begun_task(one)
    await eventually(lambda: status_of(other, task), "completed")

    async def notified_elsewhere() -> bool:
        session = await one.initialize()
        await one.subscribe(session)
        return await other.tells(session)

    await eventually(notified_elsewhere, expected=True)


async def ended_everywhere(one: Replica, other: Replica) -> str:
    """Return a session that was deleted at one gateway, and that both no longer know.

    On a busy machine Redis can respond too late, so this tries again.
    """
    ended = ""

    async def tried() -> bool:
        nonlocal ended
        ended = await one.initialize()
        assert await other.knows(ended)
        await one.end(ended)
        return await other.knows(ended)

    await eventually(tried, expected=False)
    return ended


async def begun_task(at: Replica) -> str:
    """Return the id of a new task; see `ended_everywhere`."""
    answers: list[JsonObject] = []

    async def tried() -> int:
        status, answer = await at.ask(calling("build"))
        answers.append(answer)
        return status

    await eventually(tried, 200)
    task: str = answers[-1]["result"]["taskId"]
    return task


async def status_of(at: Replica, task: str) -> str:
    """Return the status of a task, `unknown` if there is none, or the HTTP status of an error."""
    status, answer = await at.ask(taking_tasks("tasks/get", {"taskId": task}))
    if "result" in answer:
        return str(answer["result"]["status"])
    return "unknown" if answer["error"]["code"] == spec.INVALID_PARAMS else str(status)


def calling(name: str) -> Any:
    return taking_tasks("tools/call", {"name": name})
