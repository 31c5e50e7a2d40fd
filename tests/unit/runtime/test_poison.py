"""An object whose reconciliation always fails is retried with backoff and does not delay others."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.reconcile import Request, Result

pytestmark = pytest.mark.looptime

POISON = Key("demo", "poison")
OTHERS = [Key("demo", f"good-{number}") for number in range(499)]


class Work:
    """Takes 50 ms for each key, and fails for one; records when each key was done."""

    def __init__(self) -> None:
        self.metrics = RuntimeMetrics(new_registry())
        self.done: dict[Key, list[float]] = {}

    async def reconcile(self, request: Request) -> Result | None:
        await asyncio.sleep(0.05)
        self.done.setdefault(request, []).append(asyncio.get_running_loop().time())
        if request == POISON:
            raise ValueError("poison")
        return None


async def work_through(*keys: Key, seconds: float) -> dict[Key, list[float]]:
    """Return, for each key, after how many seconds it was done."""
    work = Work()
    controller = Controller("widget", "Widget", work, metrics=work.metrics)
    began = asyncio.get_running_loop().time()
    running = asyncio.create_task(controller.run())
    for key in keys:
        controller.enqueue(key)
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.wait({running})
    return {key: [moment - began for moment in moments] for key, moments in work.done.items()}


async def test_an_object_that_always_fails_does_not_delay_others() -> None:
    calm = await work_through(*OTHERS, seconds=60)
    poisoned = await work_through(POISON, *OTHERS, seconds=60)
    slowest = [
        sorted(done for key, (done, *_) in each.items() if key != POISON)[-len(OTHERS) // 100]
        for each in (calm, poisoned)
    ]
    assert len(poisoned) == len(OTHERS) + 1
    assert slowest[1] <= 1.1 * slowest[0]


async def test_an_object_that_always_fails_is_retried_with_backoff_up_to_five_minutes() -> None:
    tries = (await work_through(POISON, seconds=21_600))[POISON]
    gaps = [round(after - before - 0.05, 3) for before, after in itertools.pairwise(tries)]
    assert gaps[:4] == [0.005, 0.01, 0.02, 0.04]
    assert gaps == sorted(gaps)
    assert set(gaps[20:]) == {300.0}
