"""Namespaces take turns: the work of one does not delay that of another."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from operator import attrgetter

import pytest

from mcp_operator.core.meta import Key, Object
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.core.tasks import until_cancelled
from mcp_operator.runtime import controller as module
from mcp_operator.runtime.controller import FEW_KEYS, MAX_MAPPING, Controller
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.reconcile import Request
from mcp_operator.runtime.sources import Channel, mapped
from mcp_operator.runtime.workqueue import LOW_PRIORITY, WorkQueue

pytestmark = pytest.mark.looptime


def namespaced(metrics: RuntimeMetrics, limit: int = sys.maxsize) -> WorkQueue[Key]:
    group = attrgetter("namespace")
    return WorkQueue[Key]("fair", metrics=metrics, group=group, group_limit=limit)


async def order(queue: WorkQueue[Key], number: int) -> list[Key]:
    taken = []
    for _ in range(number):
        found = await queue.get()
        assert found is not None
        taken.append(found[0])
        queue.done(found[0])
    return taken


async def test_one_item_of_a_namespace_does_not_wait_for_a_thousand_of_another(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics)
    for number in range(1000):
        queue.add(Key("greedy", f"tool-{number:04}"))
    queue.add(Key("quiet", "tool"))
    assert await order(queue, 2) == [Key("greedy", "tool-0000"), Key("quiet", "tool")]


async def test_a_namespace_that_is_added_late_takes_turns_from_then_on(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics)
    for number in range(10):
        queue.add(Key("first", str(number)))
    await order(queue, 5)
    for number in range(5):
        queue.add(Key("late", str(number)))
    assert [key.namespace for key in await order(queue, 10)] == ["first", "late"] * 5


async def test_adding_an_item_repeatedly_does_not_take_turns_of_its_namespace(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics)
    for _ in range(100):
        queue.add(Key("busy", "hot"))
    queue.add(Key("busy", "other"))
    queue.add(Key("quiet", "one"))
    queue.add(Key("quiet", "two"))
    expected = [("busy", "hot"), ("quiet", "one"), ("busy", "other"), ("quiet", "two")]
    assert await order(queue, 4) == expected


async def test_a_change_comes_before_items_of_the_initial_list(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics)
    for number in range(10):
        queue.add(Key("greedy", str(number)), priority=LOW_PRIORITY)
    queue.add(Key("greedy", "9"))
    assert await order(queue, 1) == [Key("greedy", "9")]


class Recorder:
    """Records the requests in their order."""

    def __init__(self) -> None:
        self.seen: list[Key] = []

    async def reconcile(self, request: Request) -> None:
        self.seen.append(request)


async def test_a_backlog_of_one_namespace_does_not_delay_reconciling_another(
    metrics: RuntimeMetrics,
) -> None:
    recorder = Recorder()
    controller = Controller("widget", "Widget", recorder, metrics=metrics, max_concurrent=1)
    for number in range(1000):
        controller.queue.add(Key("greedy", f"tool-{number}"))
    controller.queue.add(Key("quiet", "tool"))
    running = asyncio.create_task(controller.run())
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.wait({running})
    assert recorder.seen.index(Key("quiet", "tool")) == 1
    assert len(recorder.seen) == 1001


async def test_a_namespace_at_its_limit_gets_no_worker_until_one_is_done(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics, limit=2)
    for number in range(4):
        queue.add(Key("greedy", str(number)))
    taken = [await queue.get() for _ in range(2)]
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(60)
    assert not waiting.done()
    assert len(queue) == 2
    queue.add(Key("quiet", "one"))
    assert await waiting == (Key("quiet", "one"), 0)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(60)
    assert not waiting.done()
    assert taken[0] is not None
    queue.done(taken[0][0])
    assert await waiting == (Key("greedy", "2"), 0)


async def test_a_change_at_the_limit_still_comes_before_the_initial_list(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics, limit=1)
    for number in range(3):
        queue.add(Key("greedy", str(number)), priority=LOW_PRIORITY)
    await queue.get()
    queue.add(Key("greedy", "2"))
    queue.done(Key("greedy", "0"))
    assert await queue.get() == (Key("greedy", "2"), 0)


class Stuck(Recorder):
    """Never finishes what it begins."""

    async def reconcile(self, request: Request) -> None:
        await super().reconcile(request)
        await until_cancelled()


@contextlib.asynccontextmanager
async def running(controller: Controller) -> AsyncIterator[None]:
    task = asyncio.create_task(controller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_one_namespace_cannot_hold_all_workers(metrics: RuntimeMetrics) -> None:
    stuck = Stuck()
    controller = Controller("widget", "Widget", stuck, metrics=metrics, max_concurrent=4)
    async with running(controller):
        for number in range(10):
            controller.enqueue(Key("greedy", str(number)))
        await asyncio.sleep(60)
        controller.enqueue(Key("quiet", "one"))
        await asyncio.sleep(1)
    assert [key.namespace for key in stuck.seen] == ["greedy"] * 3 + ["quiet"]


class Mapping:
    """A controller that maps an event to as many keys as the name of its object says."""

    def __init__(self, metrics: RuntimeMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "STEP_SECONDS", -1.0)  # every step is the shortest
        self.channel = Channel("events")
        self.controller = Controller("widget", "Widget", Recorder(), metrics=metrics)
        self.controller.watch(self.channel, mapped(self.keys))

    @staticmethod
    def keys(obj: Object) -> list[Key]:
        metadata = obj["metadata"]
        count = int(metadata["name"])
        return [Key(metadata["namespace"], f"{count}-{number}") for number in range(count)]

    def send(self, namespace: str, count: int) -> None:
        self.channel.send(Key(namespace, str(count)))

    @property
    def queued(self) -> int:
        return len(self.controller.queue)

    async def all_mapped(self) -> None:
        while self.controller._lanes:  # noqa: ASYNC110 - turns of the loop, without a timer
            await asyncio.sleep(0)


@pytest.fixture
def mapping(metrics: RuntimeMetrics, monkeypatch: pytest.MonkeyPatch) -> Mapping:
    return Mapping(metrics, monkeypatch)


async def test_an_event_with_many_keys_is_mapped_in_steps(mapping: Mapping) -> None:
    mapping.send("greedy", 10_000)
    assert mapping.queued == FEW_KEYS
    await asyncio.sleep(0)
    assert mapping.queued == 2 * FEW_KEYS
    await mapping.all_mapped()
    assert mapping.queued == 10_000


async def test_an_event_of_another_namespace_is_mapped_between_the_steps(mapping: Mapping) -> None:
    mapping.send("greedy", 10_000)
    mapping.send("greedy", 5)
    assert mapping.queued == FEW_KEYS
    mapping.send("quiet", 1)
    assert mapping.queued == FEW_KEYS + 1
    await mapping.all_mapped()
    assert mapping.queued == 10_000 + 5 + 1


async def test_an_event_over_the_limit_is_mapped_without_waiting(mapping: Mapping) -> None:
    mapping.send("greedy", 1000)
    for number in range(1, MAX_MAPPING):
        mapping.send("greedy", 1000 + number)
    assert mapping.queued == FEW_KEYS
    mapping.send("greedy", 50)
    assert mapping.queued == FEW_KEYS + 50


async def test_a_deletion_is_mapped_before_the_object_is_removed(
    mapping: Mapping,
) -> None:
    mapping.send("greedy", 1000)
    gone = {"metadata": {"namespace": "greedy", "name": "50"}}
    for handler in mapping.channel._handlers:
        handler(Event("Deleted", gone, None))
    assert mapping.queued == FEW_KEYS + 50


async def test_waiting_events_of_a_deleted_object_are_mapped_before_it_is_removed(
    metrics: RuntimeMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping, seen = Mapping(metrics, monkeypatch), list[str]()

    def keys(obj: Object) -> list[Key]:
        seen.append(obj["metadata"]["name"])
        return Mapping.keys(obj)

    mapping.controller.watch(mapping.channel, mapped(keys))
    for count in (1000, 50):
        mapping.send("greedy", count)
    mapping.channel._handlers[1](
        Event("Deleted", {"metadata": {"namespace": "greedy", "name": "50"}}, None)
    )
    known = len(seen)
    assert "50" in seen
    await mapping.all_mapped()
    assert "50" not in seen[known:]
