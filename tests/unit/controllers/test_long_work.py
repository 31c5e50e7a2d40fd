"""Namespaces take turns with large work, and each gets a share of the time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mcp_operator.controllers import long_work
from mcp_operator.controllers.long_work import CREDIT_SECONDS, MAX_REST_SECONDS, SHARE, LongWork

pytestmark = pytest.mark.looptime


async def test_large_work_runs_in_a_thread_and_small_work_in_the_event_loop() -> None:
    turns = LongWork()
    async with turns.turn("demo", large=True) as run:
        assert await run(threading.current_thread) is not threading.current_thread()
    async with turns.turn("demo", large=False) as run:
        assert await run(threading.current_thread) is threading.current_thread()


async def held(turns: LongWork, namespace: str, seconds: float) -> float:
    """Keep a turn for some seconds, and return when it began."""
    async with turns.turn(namespace, large=True):
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        return began


async def test_large_work_takes_turns_within_a_namespace_and_not_across_namespaces() -> None:
    turns = LongWork()
    one = [asyncio.create_task(held(turns, "one", 1.0)) for _ in range(2)]
    other = asyncio.create_task(held(turns, "other", 1.0))
    assert await asyncio.gather(*one, other) == [0, pytest.approx(1.0, abs=0.01), 0]


async def test_small_work_does_not_wait_for_large_work() -> None:
    turns = LongWork()
    async with turns.turn("demo", large=True), turns.turn("demo", large=False) as run:
        assert await run(int, "7") == 7


class Thread:
    """A thread in virtual time, which can get less CPU time than it needs."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self.speed = 1.0

    async def run(self, work: Callable[[], object]) -> None:
        before = self.cpu
        work()
        await asyncio.sleep((self.cpu - before) / self.speed)

    def spend(self, seconds: float) -> None:
        self.cpu += seconds


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Thread:
    thread = Thread()
    monkeypatch.setattr(asyncio, "to_thread", thread.run)
    monkeypatch.setattr(long_work, "time", SimpleNamespace(thread_time=lambda: thread.cpu))
    return thread


async def worked(turns: LongWork, namespace: str, thread: Thread, seconds: float) -> None:
    async with turns.turn(namespace, large=True) as run:
        await run(thread.spend, seconds)


async def test_a_namespace_with_constant_work_gets_its_share_of_the_time(thread: Thread) -> None:
    turns = LongWork()
    for _ in range(100):
        if (rest := turns.rest("greedy")) > 0:
            await asyncio.sleep(rest)
        await worked(turns, "greedy", thread, 0.5)
    free = CREDIT_SECONDS * SHARE
    now = asyncio.get_running_loop().time()
    assert now == pytest.approx((100 * 0.5 - free) / SHARE, rel=0.1)
    assert turns.rest("other") <= 0


async def test_the_time_of_waiting_for_the_api_server_is_not_counted() -> None:
    turns = LongWork()
    await held(turns, "demo", 60.0)
    assert turns.rest("demo") <= 0


async def test_the_time_of_waiting_for_the_cpu_is_not_counted(thread: Thread) -> None:
    turns = LongWork()
    thread.speed = 0.01
    await worked(turns, "demo", thread, CREDIT_SECONDS * SHARE * 0.9)
    assert turns.rest("demo") <= 0


async def test_a_namespace_regains_its_credit_after_a_rest(thread: Thread) -> None:
    turns = LongWork()
    await worked(turns, "demo", thread, 5.0)
    assert turns.rest("demo") > 0
    await asyncio.sleep(60)
    await worked(turns, "demo", thread, CREDIT_SECONDS * SHARE * 0.9)
    assert turns.rest("demo") <= 0


async def test_the_rest_of_a_namespace_has_a_maximum(thread: Thread) -> None:
    turns = LongWork()
    await worked(turns, "demo", thread, 600.0)
    assert turns.rest("demo") == pytest.approx(MAX_REST_SECONDS, abs=0.1)


async def test_the_time_of_failed_work_is_counted(thread: Thread) -> None:
    turns = LongWork()

    def fail() -> None:
        thread.spend(5.0)
        raise ValueError("no catalog")

    async with turns.turn("demo", large=True) as run:
        with pytest.raises(ValueError, match="no catalog"):
            await run(fail)
    assert turns.rest("demo") > 0
