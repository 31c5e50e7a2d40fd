from __future__ import annotations

import asyncio

import pytest

from mcp_operator.runtime.ratelimit import (
    ExponentialBackoff,
    SlowestOf,
    TokenBucket,
    default_rate_limiter,
)


def test_the_wait_doubles_from_5_ms_up_to_1000_s() -> None:
    limiter = ExponentialBackoff()

    waits = [limiter.when("a") for _ in range(2000)]

    assert waits[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waits[17] == pytest.approx(655.36)
    assert set(waits[18:]) == {1000.0}
    assert limiter.num_requeues("a") == 2000


def test_items_back_off_apart_and_are_forgotten_apart() -> None:
    limiter = ExponentialBackoff(1.0)
    limiter.when("a")
    limiter.when("a")
    limiter.when("b")

    limiter.forget("a")
    limiter.forget("never seen")

    assert (limiter.when("a"), limiter.when("b")) == (1.0, 2.0)


@pytest.mark.looptime
async def test_a_bucket_lets_a_burst_pass_and_spreads_the_rest() -> None:
    bucket = TokenBucket(rate=10, burst=3)

    burst = [bucket.when(item) for item in "abcde"]
    await asyncio.sleep(0.1)
    later = bucket.when("f")
    await asyncio.sleep(3600)
    full = [bucket.when(item) for item in "abcd"]

    assert burst == pytest.approx([0, 0, 0, 0.1, 0.2])
    assert later == pytest.approx(0.2)
    assert full == pytest.approx([0, 0, 0, 0.1])


@pytest.mark.looptime
async def test_the_default_is_backoff_per_item_and_a_bucket_over_all() -> None:
    limiter = default_rate_limiter()

    waits = [limiter.when(number) for number in range(102)]

    assert waits[:100] == [0.005] * 100
    assert waits[100:] == pytest.approx([0.1, 0.2])
    limiter.forget(0)
    assert (limiter.num_requeues(0), limiter.num_requeues(1)) == (0, 1)


@pytest.mark.looptime
async def test_the_slowest_limiter_counts() -> None:
    limiter = SlowestOf(ExponentialBackoff(2.0), ExponentialBackoff(1.0, 60.0))

    assert [limiter.when("a") for _ in range(3)] == [2, 4, 8]
