from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.ratelimit import ExponentialBackoff
from mcp_operator.runtime.workqueue import LOW_PRIORITY, WorkQueue

pytestmark = pytest.mark.looptime

LABELS = {"name": "widget", "controller": "widget"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def queue(registry: CollectorRegistry) -> WorkQueue[str]:
    metrics = RuntimeMetrics(registry)
    return WorkQueue("widget", metrics=metrics, rate_limiter=ExponentialBackoff(1.0, 10.0))


def now() -> float:
    return round(asyncio.get_running_loop().time(), 3)


async def take(queue: WorkQueue[str]) -> str:
    taken = await queue.get()
    assert taken is not None
    return taken[0]


async def take_all(queue: WorkQueue[str]) -> list[str]:
    items = []
    while len(queue):
        items.append(await take(queue))
        queue.done(items[-1])
    return items


async def test_an_item_added_twice_is_handed_out_once(queue: WorkQueue[str]) -> None:
    for item in ("a", "b", "a"):
        queue.add(item)

    assert await take_all(queue) == ["a", "b"]


async def test_a_dirty_item_is_requeued_when_its_worker_is_done(
    queue: WorkQueue[str],
) -> None:
    queue.add("a")
    assert await take(queue) == "a"
    queue.add("a")
    queue.add("a")

    before = len(queue)
    queue.done("a")

    assert (before, await take_all(queue)) == (0, ["a"])


async def test_items_come_by_priority_and_then_in_the_order_they_were_added(
    queue: WorkQueue[str],
) -> None:
    queue.add("a", priority=LOW_PRIORITY)
    queue.add("b", priority=LOW_PRIORITY)
    queue.add("c")
    queue.add("d")

    assert await take_all(queue) == ["c", "d", "a", "b"]


async def test_the_higher_of_two_priorities_counts(queue: WorkQueue[str]) -> None:
    for item in ("a", "b", "c"):
        queue.add(item, priority=LOW_PRIORITY)
    queue.add("b")
    queue.add("b", priority=LOW_PRIORITY)
    queue.add("c", priority=5, after=1)

    assert await queue.get() == ("c", 5)
    assert await queue.get() == ("b", 0)
    assert await queue.get() == ("a", LOW_PRIORITY)


async def test_a_dirty_item_keeps_the_highest_priority(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert await take(queue) == "a"
    queue.add("a", priority=LOW_PRIORITY)
    queue.add("a", priority=7)
    queue.add("a", after=60)
    queue.done("a")

    assert await queue.get() == ("a", 7)
    assert queue.delayed == 0


async def test_a_delayed_item_is_handed_out_after_its_delay(queue: WorkQueue[str]) -> None:
    queue.add("b", after=20)
    queue.add("a", after=10, priority=3)

    assert (await queue.get(), now()) == (("a", 3), 10)
    assert (await take(queue), now()) == ("b", 20)


async def test_the_shorter_of_two_delays_counts(queue: WorkQueue[str]) -> None:
    queue.add("a", after=10)
    queue.add("a", after=30)
    queue.add("a", after=5)

    assert (await take(queue), now()) == ("a", 5)
    queue.done("a")
    await asyncio.sleep(3600)
    assert len(queue) == queue.delayed == 0


async def test_an_immediate_add_replaces_a_delayed_one(queue: WorkQueue[str]) -> None:
    queue.add("a", after=10, priority=LOW_PRIORITY)
    queue.add("b", after=20)
    queue.add("a")

    assert await queue.get() == ("a", 0)
    assert (await take(queue), now()) == ("b", 20)


async def test_an_item_whose_delay_ends_while_it_is_processed_becomes_dirty(
    queue: WorkQueue[str],
) -> None:
    queue.add("a")
    assert await take(queue) == "a"
    queue.add("a", after=5)
    await asyncio.sleep(10)

    before = len(queue)
    queue.done("a")

    assert (before, len(queue)) == (0, 1)


async def test_the_backoff_of_an_item_grows_until_it_is_forgotten(
    queue: WorkQueue[str],
) -> None:
    times = []
    for _ in range(6):
        queue.add("a", rate_limited=True)
        queue.done(await take(queue))
        times.append(now())
    assert queue._rate_limiter._failures["a"] == 6
    queue.forget("a")
    queue.add("a", rate_limited=True)
    assert await take(queue) == "a"

    assert times == [1, 3, 7, 15, 25, 35]
    assert now() == 36
    assert queue._rate_limiter._failures["a"] == 1


async def test_a_rate_limited_add_waits_for_the_longer_of_backoff_and_delay(
    queue: WorkQueue[str],
) -> None:
    queue.add("a", rate_limited=True, after=7)
    queue.done(await take(queue))
    queue.add("a", rate_limited=True, after=0.5)

    assert (await take(queue), now()) == ("a", 9)


async def test_waiting_workers_get_one_added_item_each(queue: WorkQueue[str]) -> None:
    waiting = [asyncio.create_task(take(queue)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop(0).cancel()
    queue.add("a")
    queue.add("b")

    assert sorted(await asyncio.gather(*waiting)) == ["a", "b"]


async def test_a_shutdown_drops_queued_and_delayed_items(
    queue: WorkQueue[str],
) -> None:
    queue.add("taken")
    assert await take(queue) == "taken"
    queue.add("taken")
    queue.add("ready")
    queue.add("delayed", after=10)

    queue.shut_down()
    queue.add("late")

    assert queue.shutting_down
    assert await queue.get() is None
    queue.done("taken")
    await asyncio.sleep(20)
    assert len(queue) == queue.delayed == queue.processing == 0


async def test_a_shutdown_returns_none_to_a_waiting_worker(queue: WorkQueue[str]) -> None:
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)

    queue.shut_down()

    assert await waiting is None


async def test_draining_waits_for_items_in_progress(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert await take(queue) == "a"
    queue.shut_down()
    asyncio.get_running_loop().call_later(5, queue.done, "a")

    await queue.drained()

    assert now() == 5


async def test_replaced_delays_do_not_accumulate(
    queue: WorkQueue[str],
) -> None:
    queue.add("first", after=60)
    for _ in range(1000):
        queue.add("a", after=3600)
        queue.add("a")
        queue.done(await take(queue))

    assert len(queue._delayed._heap) < 100


async def test_the_metrics_match_the_state_of_the_queue(
    queue: WorkQueue[str], registry: CollectorRegistry
) -> None:
    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {**LABELS, **labels})

    assert value("workqueue_depth", priority="-100") == 0
    queue.add("low", priority=LOW_PRIORITY)
    queue.add("a")
    queue.add("b", priority=9)
    queue.add("later", after=60)
    assert value("workqueue_depth", priority="-100") == 1
    assert value("workqueue_depth", priority="0") == 1
    assert value("workqueue_depth", priority="9") == 1
    assert value("workqueue_adds_total") == 3

    await asyncio.sleep(1)
    first = await take(queue)
    await asyncio.sleep(2)
    await take(queue)
    await asyncio.sleep(3)
    assert value("workqueue_unfinished_work_seconds") == pytest.approx(8)
    assert value("workqueue_longest_running_processor_seconds") == pytest.approx(5)
    queue.add(first)
    queue.add(first)
    queue.done(first)
    assert value("workqueue_adds_total") == 4
    assert value("workqueue_queue_duration_seconds_sum") == pytest.approx(1 + 3)
    assert value("workqueue_work_duration_seconds_sum") == pytest.approx(5)

    assert value("workqueue_retries_total") == 0
    queue.add("c", rate_limited=True)
    assert value("workqueue_retries_total") == 1
