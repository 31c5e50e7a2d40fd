"""Namespaces take turns: what one of them asks for delays no other."""

from __future__ import annotations

import asyncio
from operator import attrgetter

import pytest

from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.reconcile import Request
from mcp_operator.runtime.workqueue import LOW_PRIORITY, WorkQueue

pytestmark = pytest.mark.looptime


def namespaced(metrics: RuntimeMetrics) -> WorkQueue[Key]:
    return WorkQueue[Key]("fair", metrics=metrics, group=attrgetter("namespace"))


async def order(queue: WorkQueue[Key], number: int) -> list[Key]:
    taken = []
    for _ in range(number):
        found = await queue.get()
        assert found is not None
        taken.append(found[0])
        queue.done(found[0])
    return taken


async def test_a_thousand_items_of_one_namespace_do_not_come_before_the_only_one_of_another(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics)
    for number in range(1000):
        queue.add(Key("greedy", f"tool-{number:04}"))
    queue.add(Key("quiet", "tool"))
    assert await order(queue, 2) == [Key("greedy", "tool-0000"), Key("quiet", "tool")]


async def test_a_namespace_that_comes_late_has_no_credit_and_no_debt(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics)
    for number in range(10):
        queue.add(Key("first", str(number)))
    await order(queue, 5)
    for number in range(5):
        queue.add(Key("late", str(number)))
    assert [key.namespace for key in await order(queue, 10)] == ["first", "late"] * 5


async def test_an_item_that_is_added_again_and_again_costs_its_namespace_no_turn(
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


async def test_a_change_comes_before_every_turn_of_the_initial_list(
    metrics: RuntimeMetrics,
) -> None:
    queue = namespaced(metrics)
    for number in range(10):
        queue.add(Key("greedy", str(number)), priority=LOW_PRIORITY)
    queue.add(Key("greedy", "9"))
    assert await order(queue, 1) == [Key("greedy", "9")]


class Recorder:
    """Remembers the requests in their order."""

    def __init__(self) -> None:
        self.seen: list[Key] = []

    async def reconcile(self, request: Request) -> None:
        self.seen.append(request)


async def test_a_backlog_of_one_namespace_does_not_delay_another(metrics: RuntimeMetrics) -> None:
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
