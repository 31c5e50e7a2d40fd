"""Whose turn it is to work on something large, and how much of the time that takes."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mcp_operator.controllers.long_work import CREDIT_SECONDS, MAX_REST_SECONDS, SHARE, LongWork

pytestmark = pytest.mark.looptime


async def test_large_work_runs_beside_the_event_loop_and_small_work_in_it() -> None:
    long_work = LongWork()
    async with long_work.turn("demo", large=True) as run:
        assert await run(threading.current_thread) is not threading.current_thread()
    async with long_work.turn("demo", large=False) as run:
        assert await run(threading.current_thread) is threading.current_thread()


async def held(long_work: LongWork, namespace: str, seconds: float) -> float:
    """Hold a turn, and return when it began."""
    async with long_work.turn(namespace, large=True):
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        return began


async def test_large_work_of_one_namespace_takes_turns_and_that_of_others_does_not_wait() -> None:
    long_work = LongWork()
    one = [asyncio.create_task(held(long_work, "one", 1.0)) for _ in range(2)]
    other = asyncio.create_task(held(long_work, "other", 1.0))
    assert await asyncio.gather(*one, other) == [0, pytest.approx(1.0, abs=0.01), 0]


async def test_small_work_does_not_wait_for_large_work() -> None:
    long_work = LongWork()
    async with long_work.turn("demo", large=True), long_work.turn("demo", large=False) as run:
        assert await run(int, "7") == 7


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let work be a number, the seconds that it takes."""
    monkeypatch.setattr(asyncio, "to_thread", asyncio.sleep)


async def worked(long_work: LongWork, namespace: str, seconds: float) -> None:
    async with long_work.turn(namespace, large=True) as run:
        await run(seconds)  # type: ignore[arg-type]


@pytest.mark.usefixtures("thread")
async def test_a_namespace_that_always_wants_more_gets_its_share() -> None:
    long_work = LongWork()
    for _ in range(100):
        if (rest := long_work.rest("greedy")) > 0:
            await asyncio.sleep(rest)
        await worked(long_work, "greedy", 0.5)
    free = CREDIT_SECONDS * SHARE
    now = asyncio.get_running_loop().time()
    assert now == pytest.approx((100 * 0.5 - free) / SHARE, rel=0.1)
    assert long_work.rest("other") <= 0


async def test_waiting_for_the_api_server_during_a_turn_is_not_work() -> None:
    long_work = LongWork()
    await held(long_work, "demo", 60.0)
    assert long_work.rest("demo") <= 0


@pytest.mark.usefixtures("thread")
async def test_a_namespace_that_has_rested_has_its_credit_again() -> None:
    long_work = LongWork()
    await worked(long_work, "demo", 5.0)
    assert long_work.rest("demo") > 0
    await asyncio.sleep(60)
    await worked(long_work, "demo", CREDIT_SECONDS * SHARE * 0.9)
    assert long_work.rest("demo") <= 0


@pytest.mark.usefixtures("thread")
async def test_no_namespace_rests_for_long_however_much_it_has_worked() -> None:
    long_work = LongWork()
    await worked(long_work, "demo", 600.0)
    assert long_work.rest("demo") == pytest.approx(MAX_REST_SECONDS, abs=0.1)
