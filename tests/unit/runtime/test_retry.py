from __future__ import annotations

import pytest

from mcp_operator.runtime.errors import LOST, NO_ANSWER, REFUSED, ApiError
from mcp_operator.runtime.retry import MAX_RETRIES, Backoff, retry_delay


@pytest.mark.parametrize(
    ("method", "error", "again"),
    [
        ("GET", ApiError(500, "InternalError", "no"), True),
        ("GET", ApiError(NO_ANSWER, LOST, "no"), True),
        ("GET", ApiError(404, "NotFound", "no"), False),
        ("GET", ApiError(504, "Timeout", "Too large resource version: 9"), False),
        ("PATCH", ApiError(500, "InternalError", "no"), False),
        ("PATCH", ApiError(NO_ANSWER, LOST, "no"), False),
        ("PATCH", ApiError(NO_ANSWER, REFUSED, "no"), True),
        ("POST", ApiError(429, "TooManyRequests", "no"), True),
    ],
)
def test_only_requests_that_are_safe_to_repeat_are_retried(
    method: str, error: ApiError, *, again: bool
) -> None:
    assert (retry_delay(method, 0, error) is not None) is again


def test_retries_end_at_the_maximum() -> None:
    assert retry_delay("GET", MAX_RETRIES, ApiError(500, "InternalError", "no")) is None


def test_the_retry_after_is_respected_up_to_30_seconds() -> None:
    assert retry_delay("PUT", 0, ApiError(429, "x", "no", retry_after=4)) == 4
    assert retry_delay("PUT", 0, ApiError(429, "x", "no", retry_after=4000)) == 30


def test_pauses_grow_to_a_limit_and_are_reset_by_a_success() -> None:
    backoff = Backoff()
    pauses = [backoff.next() for _ in range(8)]
    for pause, least in zip(pauses, (0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0), strict=True):
        assert least <= pause <= 2 * least
    backoff.reset()
    assert backoff.next() <= 1.6


def test_after_thousands_of_failures_the_pause_is_still_the_longest() -> None:
    backoff = Backoff()
    pauses = [backoff.next() for _ in range(5000)]
    assert all(30 <= pause <= 60 for pause in pauses[10:])


def test_pauses_stay_short_for_refused_connections() -> None:
    backoff = Backoff()
    pauses = [backoff.next(Backoff.LONGEST_REFUSED) for _ in range(100)]
    assert all(2.5 <= pause <= 5 for pause in pauses[2:])
    assert backoff.next() < 7
