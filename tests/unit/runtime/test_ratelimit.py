from __future__ import annotations

import pytest

from mcp_operator.runtime.ratelimit import ExponentialBackoff


def test_the_wait_doubles_from_5_ms_up_to_five_minutes() -> None:
    limiter = ExponentialBackoff()

    waits = [limiter.when("a") for _ in range(2000)]

    assert waits[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waits[15] == pytest.approx(163.84)
    assert set(waits[16:]) == {300.0}
    assert limiter._failures["a"] == 2000


def test_each_item_has_its_own_backoff() -> None:
    limiter = ExponentialBackoff(1.0)
    limiter.when("a")
    limiter.when("a")
    limiter.when("b")

    limiter.forget("a")
    limiter.forget("never seen")

    assert (limiter.when("a"), limiter.when("b")) == (1.0, 2.0)
