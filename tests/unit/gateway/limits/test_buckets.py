"""The arithmetic of token buckets."""

from __future__ import annotations

import pytest

from mcp_operator.gateway.limits.buckets import Bucket, LocalBuckets

MINUTE = 60.0


def bucket(key: str = "a", requests: int = 60, seconds: float = MINUTE, burst: int = 10) -> Bucket:
    interval = seconds / requests
    return Bucket(key, interval, burst * interval, "shared")


def taken(buckets: LocalBuckets, one: Bucket, now: float, tries: int = 1000) -> int:
    """Return how many calls of some tries are taken at one moment."""
    return sum(buckets.take([one], now) is None for _ in range(tries))


@pytest.mark.parametrize("now", [0.0, 1e9])
@pytest.mark.parametrize(("requests", "burst"), [(60, 10), (7, 7), (1_000_000, 500), (1, 1)])
def test_calls_up_to_the_burst_are_taken_at_once(requests: int, burst: int, now: float) -> None:
    assert taken(LocalBuckets(), bucket(requests=requests, burst=burst), now) == burst


def test_a_bucket_refills_one_call_at_a_time() -> None:
    buckets = LocalBuckets()
    assert taken(buckets, bucket(), 0.0) == 10
    assert taken(buckets, bucket(), 0.99) == 0
    assert taken(buckets, bucket(), 1.01) == 1
    assert taken(buckets, bucket(), 4.5) == 3
    assert taken(buckets, bucket(), 1000.0) == 10


def test_refused_calls_do_not_change_the_rate_over_a_long_time() -> None:
    buckets = LocalBuckets()
    one = bucket(requests=100, burst=5)
    found = sum(buckets.take([one], step / 100) is None for step in range(100 * 600))
    assert found == pytest.approx(1000, abs=6)


def test_a_refusal_has_the_time_until_the_next_call_is_taken() -> None:
    buckets = LocalBuckets()
    one = bucket(requests=6, burst=1)
    assert buckets.take([one], 0.0) is None
    verdict = buckets.take([one], 4.0)
    assert verdict is not None
    assert verdict.wait == pytest.approx(6.0)
    assert buckets.take([one], 4.0 + verdict.wait) is None


def test_a_call_refused_by_one_bucket_takes_nothing_from_the_others() -> None:
    buckets = LocalBuckets()
    wide, narrow = bucket("wide", burst=5), bucket("narrow", burst=1)
    assert buckets.take([wide, narrow], 0.0) is None
    for _ in range(20):
        verdict = buckets.take([wide, narrow], 0.0)
        assert verdict is not None
        assert verdict.bucket is narrow
    assert taken(buckets, wide, 0.0) == 4


def test_the_verdict_names_the_bucket_that_refuses_for_longest() -> None:
    buckets = LocalBuckets()
    short, long = bucket("short", burst=1), bucket("long", requests=1, burst=1)
    assert buckets.take([short, long], 0.0) is None
    verdict = buckets.take([short, long], 0.0)
    assert verdict is not None
    assert verdict.bucket is long


def test_after_a_limit_changes_a_call_waits_for_at_most_one_new_interval() -> None:
    buckets = LocalBuckets()
    taken(buckets, bucket(seconds=3600, burst=60), 0.0)
    narrow = bucket(seconds=1, burst=1)
    verdict = buckets.take([narrow], 0.0)
    assert verdict is not None
    assert verdict.wait <= narrow.interval
    assert buckets.take([narrow], verdict.wait) is None


def test_the_least_recently_used_bucket_is_evicted() -> None:
    buckets = LocalBuckets(capacity=2)
    for key in ("a", "b", "a", "c"):
        assert buckets.take([bucket(key, burst=2)], 0.0) is None
    assert taken(buckets, bucket("a", burst=2), 0.0) == 0
    assert taken(buckets, bucket("b", burst=2), 0.0) == 2
