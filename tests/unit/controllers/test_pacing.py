"""The rate at which one object is reconciled is limited."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.controllers.pacing import BURST, INTERVAL_SECONDS, Paced
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.ratelimit import MAX_DELAY
from mcp_operator.runtime.reconcile import Request, Result

pytestmark = pytest.mark.looptime

HOT, QUIET = Key("demo", "hot"), Key("demo", "quiet")


class Recorder:
    """Records when each object was reconciled."""

    def __init__(self) -> None:
        self.times: dict[Key, list[float]] = {}

    async def reconcile(self, request: Request) -> Result | None:
        now = asyncio.get_running_loop().time()
        self.times.setdefault(request, []).append(now)
        return None


class Failing(Recorder):
    """Fails each time."""

    async def reconcile(self, request: Request) -> Result | None:
        await super().reconcile(request)
        raise OperatorError("the object is wrong")


async def test_an_object_that_changes_constantly_is_reconciled_at_a_limited_rate() -> None:
    recorder = Recorder()
    metrics = RuntimeMetrics(new_registry())
    controller = Controller("widget", "Widget", Paced(recorder), metrics=metrics)
    running = asyncio.create_task(controller.run())
    for _ in range(1000):
        controller.enqueue(HOT)
        await asyncio.sleep(0.01)
    await asyncio.sleep(60)
    running.cancel()
    await asyncio.wait({running})
    assert len(recorder.times[HOT]) == pytest.approx(BURST + 10 / INTERVAL_SECONDS, abs=2)
    assert recorder.times[HOT][-1] >= 10.0 - INTERVAL_SECONDS  # including the last change


async def test_constant_changes_do_not_shorten_the_backoff_of_a_failing_object() -> None:
    recorder = Failing()
    metrics = RuntimeMetrics(new_registry())
    controller = Controller("widget", "Widget", Paced(recorder), metrics=metrics)
    running = asyncio.create_task(controller.run())
    for _ in range(1000):
        controller.enqueue(HOT)
        await asyncio.sleep(0.01)
    before = len(recorder.times[HOT])
    await asyncio.sleep(2 * MAX_DELAY)
    running.cancel()
    await asyncio.wait({running})
    assert len(recorder.times[HOT]) - before <= 3


async def test_after_a_burst_an_object_is_reconciled_once_per_interval() -> None:
    recorder = Recorder()
    paced = Paced(recorder)
    assert [await paced.reconcile(HOT) for _ in range(BURST)] == [None] * BURST
    later = await paced.reconcile(HOT)
    assert later is not None
    assert later.requeue_after == pytest.approx(INTERVAL_SECONDS)
    assert await paced.reconcile(QUIET) is None
    await asyncio.sleep(INTERVAL_SECONDS * 1.01)
    assert await paced.reconcile(HOT) is None


async def test_the_state_of_objects_that_no_longer_change_is_dropped() -> None:
    paced = Paced(Recorder())
    for number in range(2000):
        await paced.reconcile(Key("demo", str(number)))
        await asyncio.sleep(INTERVAL_SECONDS)
    assert len(paced._full) <= 1001
