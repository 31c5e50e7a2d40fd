"""How long an item waits before it is retried."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

BASE_DELAY: Final = 0.005
"""Seconds before the first retry; client-go, DefaultTypedControllerRateLimiter."""

MAX_DELAY: Final = 300.0
"""Seconds, the longest delay between retries. With client-go's 1000, an object that was fixed from
outside could go unnoticed for a quarter of an hour."""

_MAX_EXPONENT: Final = 1000  # 2.0 ** 1024 overflows


class ExponentialBackoff:
    """Doubles an item's delay with each failure; client-go's ItemExponentialFailureRateLimiter.

    Like controller-runtime's priority queue, it leaves out client-go's overall token bucket, which
    would also make objects that fail for a common reason wait for each other.

    Args:
        base: Seconds before the first retry.
        maximum: Seconds, the longest delay.
    """

    def __init__(self, base: float = BASE_DELAY, maximum: float = MAX_DELAY) -> None:
        self._base = base
        self._maximum = maximum
        self._failures: dict[Hashable, int] = {}

    def when(self, item: Hashable) -> float:
        """Count a failure; return `base * 2 ** earlier failures` seconds, at most `maximum`."""
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        return float(min(self._base * 2.0 ** min(failures, _MAX_EXPONENT), self._maximum))

    def forget(self, item: Hashable) -> None:
        """Reset the delay of an item to `base`."""
        self._failures.pop(item, None)
