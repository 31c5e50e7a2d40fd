"""Tasks that several gateways keep in a real Redis."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from mcp_operator.gateway.redis.link import RedisLink
from mcp_operator.gateway.tasks import shared
from mcp_operator.gateway.tasks.shared import LARGE, RedisStore
from mcp_operator.gateway.tasks.store import (
    MAX_RESULT,
    MAX_RUNNING,
    FullError,
    StoreAwayError,
    Stored,
)
from support.redis_links import Links, Shared, until_away, until_up
from support.redis_server import RedisServer
from support.task_values import BEGAN, a_task
from support.waiting import eventually


class FixedClock:
    """A clock that always returns the same time."""

    def __init__(self, seconds: float = BEGAN) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


async def stores(links: Links, redis: RedisServer, count: int = 2) -> list[RedisStore]:
    """Return the task stores of several gateways."""
    found = [links.start(redis.port) for _ in range(count)]
    for link in found:
        await until_up(link)
    return [RedisStore(Shared(link), FixedClock()) for link in found]


async def test_every_gateway_finds_an_added_task(redis: RedisServer, links: Links) -> None:
    one, other = await stores(links, redis)
    task = a_task()
    await one.add(task, 60)
    assert await other.get(task.id) == Stored(task, 1)
    assert await other.get("0" * 32) is None


async def test_exactly_one_of_many_gateways_claims_a_task(redis: RedisServer, links: Links) -> None:
    found = await stores(links, redis, 3)
    tasks = [a_task() for _ in range(20)]
    for task in tasks:
        await found[0].add(task, 0)
    claimed: list[str] = []

    async def all_claimed() -> list[str]:
        for each in await asyncio.gather(*(store.claim(20) for store in found)):
            claimed.extend(stored.task.id for stored in each.tasks)
        return sorted(claimed)

    await eventually(all_claimed, sorted(task.id for task in tasks))


async def test_a_task_is_not_claimed_before_it_is_due(redis: RedisServer, links: Links) -> None:
    store, _ = await stores(links, redis)
    await store.add(a_task(), 3600)
    found = await store.claim(5)
    assert found.tasks == []
    assert found.wait is not None
    assert 0 < found.wait <= 3600


async def test_another_gateway_claims_a_task_whose_claim_has_expired(
    redis: RedisServer, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await stores(links, redis)
    monkeypatch.setattr(shared, "LEASE_SECONDS", 0.05)
    task = a_task()
    await one.add(task, 0)

    async def claims(store: RedisStore) -> list[Stored]:
        return list((await store.claim(5)).tasks)

    async def first() -> int:
        return len(await claims(one))

    await eventually(first, 1)
    revisions: list[int] = []

    async def taken_over() -> bool:
        revisions.extend(each.revision for each in await claims(other))
        return bool(revisions)

    await eventually(taken_over, expected=True)
    assert await one.save(task.completed(BEGAN), 2, 0, b"{}") is None, (
        "the expired claim cannot save"
    )
    assert await other.save(task.completed(BEGAN), revisions[-1], 0, b"{}") is not None


async def test_of_two_changes_of_one_revision_only_the_first_is_saved(
    redis: RedisServer, links: Links
) -> None:
    one, other = await stores(links, redis)
    task = a_task()
    await one.add(task, 60)
    saved = await asyncio.gather(
        one.save(task.cancelled(BEGAN), 1, 0), other.save(task.completed(BEGAN), 1, 0, b"{}")
    )
    assert sorted(saved, key=str) == [2, None]


async def test_every_gateway_finds_the_result_of_a_task_that_is_no_longer_due(
    redis: RedisServer, links: Links
) -> None:
    one, other = await stores(links, redis)
    task = a_task()
    await one.add(task, 0)
    done, result = task.completed(BEGAN + 1), '{"text":"ü"}'.encode()
    assert await one.save(done, 1, 0, result) == 2
    assert await other.get(task.id) == Stored(done, 2, result)
    assert await other.claim(5) == ([], None)
    assert await other.changed({task.id: 1, "0" * 32: 1}) == {task.id, "0" * 32}
    assert await other.changed({task.id: 2}) == frozenset()


async def test_one_client_can_use_half_of_the_running_tasks_of_all_gateways(
    redis: RedisServer, links: Links
) -> None:
    one, other = await stores(links, redis)
    tasks = [a_task() for _ in range(MAX_RUNNING // 2)]
    await asyncio.gather(*(one.add(task, 60) for task in tasks))
    with pytest.raises(FullError):
        await other.add(a_task(), 60)
    await other.add(a_task(client="c2"), 60)
    await other.save(tasks[0].cancelled(BEGAN), 1, 0)
    await other.add(a_task(), 60)


async def test_a_task_or_result_that_is_too_large_is_refused_and_changes_nothing(
    redis: RedisServer, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await stores(links, redis)
    monkeypatch.setattr(shared, "MAX_KEPT", 8 * 1024)
    task = a_task(arguments={"text": "x" * 1024})
    await one.add(task, 60)
    with pytest.raises(FullError):
        await other.save(task.completed(BEGAN), 1, 0, b"x" * 4096)
    assert await one.get(task.id) == Stored(task, 1)
    with pytest.raises(FullError):
        await other.add(a_task(arguments={"text": "x" * 1024}), 60)
    await other.add(a_task(client="c2"), 60)


async def test_expired_tasks_leave_nothing_behind_in_redis(
    redis: RedisServer, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = links.start(redis.port)
    await until_up(link)
    late = RedisStore(Shared(link), FixedClock(a_task().expires - 0.05))  # they expire in 50 ms
    for number in range(10):
        task = a_task()
        await late.add(task, 60)
        if number % 2:
            await late.save(task.completed(BEGAN - 1 + 600), 1, 0, b"{}")

    async def left() -> dict[str, int]:
        probe = a_task(client="c2")
        await late.add(probe, 60)  # adding a task removes the expired ones
        held = await redis.ask("HGETALL", link.key("tasks:held"))
        names = held[::2] if isinstance(held, list) else list(held)
        return {"tasks of c1": sum(b":c1" in each for each in names)}

    await eventually(left, {"tasks of c1": 0})


async def test_every_operation_raises_while_redis_is_unavailable(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port)
    await until_up(link)
    store, task = RedisStore(Shared(link), FixedClock()), a_task()
    await store.add(task, 60)
    redis.kill()
    await until_away(link, "Connection refused")
    for work in (
        store.add(a_task(), 1),
        store.get(task.id),
        store.save(task, 1, 1),
        store.claim(1),
        store.changed({task.id: 1}),
    ):
        with pytest.raises(StoreAwayError):
            await work


class Counting:  # a `Link`
    """Counts how many results and large tasks are transferred at the same time."""

    def __init__(self, link: RedisLink) -> None:
        self.peers, self.is_up, self.key = link.peers, True, link.key
        self.most = self._now = 0
        self._link = link

    async def call(self, *command: Any) -> Any:
        is_large = command[-1] == "result" or command[0] == "HMGET"
        self._now += is_large
        self.most = max(self.most, self._now)
        try:
            reply = await self._link.call(*command)
        finally:
            self._now -= is_large
        assert is_large or not isinstance(reply, list) or len(b"".join(reply[:1])) <= LARGE
        return reply


async def test_large_results_are_transferred_one_at_a_time(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port)
    await until_up(link)
    counting = Counting(link)
    store, task, result = RedisStore(Shared(counting), FixedClock()), a_task(), b"x" * MAX_RESULT
    await store.add(task, 60)
    done = task.completed(BEGAN)
    await store.save(done, 1, 0, result)
    read = await asyncio.gather(*(store.get(task.id) for _ in range(50)))
    assert read == [Stored(done, 2, result)] * 50
    assert counting.most == 1


async def test_large_tasks_are_transferred_one_at_a_time(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port)
    await until_up(link)
    counting = Counting(link)
    store = RedisStore(Shared(counting), FixedClock())
    large = [a_task(arguments={"text": "x" * 2 * LARGE}) for _ in range(8)]
    tasks = {each.id: each for each in (*large, a_task())}
    for each in tasks.values():
        await store.add(each, 0)
    read = await asyncio.gather(*map(store.get, tasks))
    assert read == [Stored(each, 1) for each in tasks.values()]
    claimed: dict[str, Stored] = {}

    async def all_claimed() -> dict[str, Stored]:
        claimed.update({each.task.id: each for each in (await store.claim(20)).tasks})
        return claimed

    await eventually(all_claimed, {each.id: Stored(each, 2) for each in tasks.values()})
    assert counting.most == 1


async def test_after_a_flush_of_redis_tasks_are_unknown_and_new_ones_are_accepted(
    redis: RedisServer, links: Links
) -> None:
    store, _ = await stores(links, redis)
    task = a_task()
    await store.add(task, 0)
    await redis.ask("FLUSHALL")
    assert await store.get(task.id) is None
    assert await store.save(task.completed(BEGAN), 1, 0, b"{}") is None
    await store.add(task, 0)
    assert await store.get(task.id) == Stored(task, 1)
