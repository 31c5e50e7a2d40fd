"""Tasks in the memory of one process."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mcp_operator.gateway.tasks import store as store_module
from mcp_operator.gateway.tasks.memory import MemoryStore
from mcp_operator.gateway.tasks.store import (
    LEASE_SECONDS,
    MAX_KEPT,
    MAX_RUNNING,
    FullError,
    Stored,
)
from mcp_operator.gateway.tasks.task import KEEP_SECONDS
from support.task_values import BEGAN, LoopClock, a_task

pytestmark = pytest.mark.looptime


async def test_a_task_is_found_as_soon_as_it_is_added() -> None:
    store, task = MemoryStore(LoopClock()), a_task()
    await store.add(task, 5)
    assert await store.get(task.id) == Stored(task, 1)
    assert await store.get("another") is None


async def test_a_task_is_claimed_once_when_it_is_due() -> None:
    store, task = MemoryStore(LoopClock()), a_task()
    await store.add(task, 5)
    assert await store.claim(10) == ([], 5)
    await asyncio.sleep(5)
    assert await store.claim(10) == ([Stored(task, 2)], LEASE_SECONDS)
    assert await store.claim(10) == ([], LEASE_SECONDS)


async def test_a_claimed_task_that_is_not_saved_is_claimed_again_after_its_lease() -> None:
    store, task = MemoryStore(LoopClock()), a_task()
    await store.add(task, 0)
    await store.claim(1)
    await asyncio.sleep(LEASE_SECONDS)
    assert [each.task for each in (await store.claim(1)).tasks] == [task]


async def test_tasks_are_claimed_in_the_order_they_are_due_up_to_the_limit() -> None:
    store, tasks = MemoryStore(LoopClock()), [a_task() for _ in range(3)]
    for task, due in zip(tasks, (2, 0, 1), strict=True):
        await store.add(task, due)
    await asyncio.sleep(5)
    claimed = await store.claim(2)
    assert [each.task for each in claimed.tasks] == [tasks[1], tasks[2]]
    assert claimed.wait == 0


async def test_only_the_first_of_two_changes_to_a_version_is_saved() -> None:
    store, task = MemoryStore(LoopClock()), a_task()
    await store.add(task, 0)
    assert await store.save(task.cancelled(BEGAN), 1, 0) == 2
    assert await store.save(task.completed(BEGAN), 1, 0, b"{}") is None
    found = await store.get(task.id)
    assert found is not None
    assert found.task.status == "cancelled"


async def test_a_version_from_before_a_claim_cannot_be_saved() -> None:
    store, task = MemoryStore(LoopClock()), a_task()
    await store.add(task, 0)
    await store.claim(1)
    assert await store.save(task.completed(BEGAN), 1, 0, b"{}") is None


async def test_a_completed_task_is_never_due_and_keeps_its_result() -> None:
    store, task = MemoryStore(LoopClock()), a_task()
    await store.add(task, 0)
    await store.save(task.completed(BEGAN), 1, 0, b'{"a":1}')
    assert await store.claim(1) == ([], None)
    await asyncio.sleep(KEEP_SECONDS - 1)
    found = await store.get(task.id)
    assert found is not None
    assert found.result == b'{"a":1}'


async def test_expired_tasks_leave_nothing_behind() -> None:
    store = MemoryStore(LoopClock())
    for number in range(20):
        task = a_task(arguments={"n": number})
        await store.add(task, 1)
        if number % 2:
            await store.save(task.completed(BEGAN), 1, 0, b"[]")
    await asyncio.sleep(600 + KEEP_SECONDS)
    assert await store.get("x") is None
    assert (len(store), store.held) == (0, 0)
    assert await store.claim(1) == ([], None)
    for _ in range(MAX_RUNNING // 2):  # all capacity is free again
        await store.add(a_task(), 1)


async def test_one_client_can_have_at_most_half_of_the_running_tasks() -> None:
    store = MemoryStore(LoopClock())
    tasks = [a_task() for _ in range(MAX_RUNNING // 2)]
    for task in tasks:
        await store.add(task, 1)
    with pytest.raises(FullError):
        await store.add(a_task(), 1)
    await store.add(a_task(client="c2"), 1)
    await store.save(tasks[0].cancelled(BEGAN), 1, 0)
    await store.add(a_task(), 1)


async def test_one_client_can_use_at_most_half_of_the_memory_for_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "MAX_BODY", MAX_KEPT)
    store, large = MemoryStore(LoopClock()), {"text": "x" * (MAX_KEPT // 4)}
    await store.add(a_task(arguments=large), 1)
    with pytest.raises(FullError):
        await store.add(a_task(arguments=large), 1)
    assert len(store) == 1
    await store.add(a_task(arguments=large, client="c2"), 1)


async def test_a_result_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    store, task = MemoryStore(LoopClock()), a_task()
    await store.add(task, 1)
    with pytest.raises(FullError):
        await store.save(task.completed(BEGAN), 1, 0, b"x" * (MAX_KEPT // 2))
    assert await store.get(task.id) == Stored(task, 1)
    before = store.held
    await store.save(replace(task, message="m" * 100), 1, 1)
    assert store.held == before + 100


async def test_changed_returns_tasks_with_another_version_and_missing_tasks() -> None:
    store, one, two = MemoryStore(LoopClock()), a_task(), a_task()
    for task in (one, two):
        await store.add(task, 1)
    await store.save(one.cancelled(BEGAN), 1, 0)
    assert await store.changed({one.id: 1, two.id: 1, "gone": 1}) == {one.id, "gone"}
