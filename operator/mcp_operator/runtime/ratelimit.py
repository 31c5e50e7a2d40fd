"""How long an item waits before it is tried again; client-go's util/workqueue rate limiters."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Final, Protocol

BASE_DELAY: Final = 0.005
"""Seconds before the first retry; client-go, DefaultTypedControllerRateLimiter."""

MAX_DELAY: Final = 1000.0
"""Seconds, the longest wait between retries; client-go, DefaultTypedControllerRateLimiter."""

BUCKET_RATE: Final = 10.0
"""Retries per second over all items; client-go, DefaultTypedControllerRateLimiter."""

BUCKET_BURST: Final = 100
"""Retries at once over all items; client-go, DefaultTypedControllerRateLimiter."""

_MAX_EXPONENT: Final = 1000  # 2.0 ** 1024 overflows


class RateLimiter(Protocol):
    """Decides when an item may be tried again."""

    def when(self, item: Hashable) -> float:
        """Count one more failure of `item`; return the seconds to wait before the next try."""
        ...

    def forget(self, item: Hashable) -> None:
        """Drop the history of `item`: it succeeded, or is given up."""
        ...

    def num_requeues(self, item: Hashable) -> int:
        """Return how many failures of `item` are remembered."""
        ...


class ExponentialBackoff:
    """Doubles the wait of an item with each failure; client-go's ItemExponentialFailureRateLimiter.

    Args:
        base: Seconds before the first retry.
        maximum: Seconds, the longest wait.
    """

    def __init__(self, base: float = BASE_DELAY, maximum: float = MAX_DELAY) -> None:
        self._base = base
        self._maximum = maximum
        self._failures: dict[Hashable, int] = {}

    def when(self, item: Hashable) -> float:
        """Return `base * 2 ** failures`, at most `maximum` seconds."""
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        return float(min(self._base * 2.0 ** min(failures, _MAX_EXPONENT), self._maximum))

    def forget(self, item: Hashable) -> None:
        """Start again at `base`."""
        self._failures.pop(item, None)

    def num_requeues(self, item: Hashable) -> int:
        """Return the failures since the item was forgotten."""
        return self._failures.get(item, 0)


class TokenBucket:
    """Spreads the retries of all items together; client-go's BucketRateLimiter.

    Args:
        rate: Retries per second.
        burst: Retries that may come at once after a quiet time.
    """

    def __init__(self, rate: float = BUCKET_RATE, burst: int = BUCKET_BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._filled_at = 0.0

    def when(self, item: Hashable) -> float:  # noqa: ARG002  (the protocol's: all items share)
        """Take a token; return the seconds until there is one."""
        now = asyncio.get_running_loop().time()
        grown = self._tokens + (now - self._filled_at) * self._rate
        self._tokens = min(grown, self._burst) - 1
        self._filled_at = now
        return max(0.0, -self._tokens / self._rate)

    def forget(self, item: Hashable) -> None:
        """Do nothing: a token taken is gone."""

    def num_requeues(self, item: Hashable) -> int:  # noqa: ARG002  (the protocol's: nothing kept)
        """Return 0: items are not told apart."""
        return 0


class SlowestOf:
    """Obeys several limiters at a time; client-go's MaxOfRateLimiter."""

    def __init__(self, *limiters: RateLimiter) -> None:
        self._limiters = limiters

    def when(self, item: Hashable) -> float:
        """Return the longest wait of all limiters, each of which counts the failure."""
        return max(limiter.when(item) for limiter in self._limiters)

    def forget(self, item: Hashable) -> None:
        """Tell all limiters."""
        for limiter in self._limiters:
            limiter.forget(item)

    def num_requeues(self, item: Hashable) -> int:
        """Return the largest count of all limiters."""
        return max(limiter.num_requeues(item) for limiter in self._limiters)


def default_rate_limiter() -> RateLimiter:
    """Return what client-go gives a controller: backoff per item, a bucket over all."""
    return SlowestOf(ExponentialBackoff(), TokenBucket())
