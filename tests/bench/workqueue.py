"""Measures how many keys per second go through the work queue.

It measures only the queue; in an operator, the reconciliation of a key takes a thousand times as
long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry

from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.workqueue import LOW_PRIORITY, WorkQueue

ROUNDS = 3
"""The best of them is shown, because it was disturbed least."""

KEYS = 50_000

Queue = WorkQueue[Key]
Scenario = Callable[[Queue, list[Key]], Awaitable[None]]


async def work_off(queue: Queue, count: int) -> None:
    for _ in range(count):
        taken = await queue.get()
        assert taken is not None
        queue.done(taken[0])


async def add_get_done(queue: Queue, keys: list[Key]) -> None:
    for key in keys:
        queue.add(key)
    await work_off(queue, len(keys))


async def one_by_one(queue: Queue, keys: list[Key]) -> None:
    for key in keys:
        queue.add(key)
        await work_off(queue, 1)


async def duplicates(queue: Queue, keys: list[Key]) -> None:
    queue.add(keys[0])
    for _ in keys:
        queue.add(keys[0])
    await work_off(queue, 1)


async def raised(queue: Queue, keys: list[Key]) -> None:
    for key in keys:
        queue.add(key, priority=LOW_PRIORITY)
    for key in keys:
        queue.add(key)
    await work_off(queue, len(keys))


async def delayed(queue: Queue, keys: list[Key]) -> None:
    for number, key in enumerate(keys):
        queue.add(key, after=number * 1e-9)
    await work_off(queue, len(keys))


async def four_workers(queue: Queue, keys: list[Key]) -> None:
    share = len(keys) // 4
    workers = [asyncio.create_task(work_off(queue, share)) for _ in range(4)]
    for key in keys[: share * 4]:
        queue.add(key)
        await asyncio.sleep(0)
    await asyncio.gather(*workers)


SCENARIOS: dict[str, Scenario] = {
    "add all, then get and done": add_get_done,
    "add, get, done, one by one": one_by_one,
    "add what is there already": duplicates,
    "add twice, raising the priority": raised,
    "add delayed": delayed,
    "four workers that wait": four_workers,
}


async def rate(scenario: Scenario, keys: list[Key]) -> float:
    queue: Queue = WorkQueue("bench", metrics=RuntimeMetrics(CollectorRegistry()))
    started = time.perf_counter()
    await scenario(queue, keys)
    return len(keys) / (time.perf_counter() - started)


def measure(count: int = KEYS) -> dict[str, float]:
    """Return the keys per second of each scenario."""
    keys = [Key("demo", f"tool-{number:06}") for number in range(count)]
    return {
        name: max(asyncio.run(rate(scenario, keys)) for _ in range(ROUNDS))
        for name, scenario in SCENARIOS.items()
    }
