"""How often one object is reconciled, however often it changes."""

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
    """Remembers when each object was reconciled."""

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


async def test_an_object_that_changes_all_the_time_is_reconciled_at_a_steady_rate() -> None:
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
    assert recorder.times[HOT][-1] >= 10.0 - INTERVAL_SECONDS  # the last change, too


async def test_an_object_that_keeps_failing_is_retried_no_sooner_for_changing_all_the_time() -> (
    None
):
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


async def test_a_burst_is_passed_on_and_then_something_every_interval() -> None:
    recorder = Recorder()
    paced = Paced(recorder)
    assert [await paced.reconcile(HOT) for _ in range(BURST)] == [None] * BURST
    later = await paced.reconcile(HOT)
    assert later is not None
    assert later.requeue_after == pytest.approx(INTERVAL_SECONDS)
    assert await paced.reconcile(QUIET) is None
    await asyncio.sleep(INTERVAL_SECONDS * 1.01)
    assert await paced.reconcile(HOT) is None


async def test_what_is_known_of_objects_that_are_quiet_again_is_dropped() -> None:
    paced = Paced(Recorder())
    for number in range(2000):
        await paced.reconcile(Key("demo", str(number)))
        await asyncio.sleep(INTERVAL_SECONDS)
    assert len(paced._full) <= 1001
