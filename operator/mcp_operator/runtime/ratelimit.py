"""How long an item waits before it is tried again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

BASE_DELAY: Final = 0.005
"""Seconds before the first retry; client-go, DefaultTypedControllerRateLimiter."""

MAX_DELAY: Final = 300.0
"""Seconds, the longest wait between retries. client-go's 1000 would leave an object that was mended
from outside unnoticed for a quarter of an hour."""

_MAX_EXPONENT: Final = 1000  # 2.0 ** 1024 overflows


class ExponentialBackoff:
    """Doubles the wait of an item with each failure; client-go's ItemExponentialFailureRateLimiter.

    It is all that controller-runtime's priority queue uses, too: client-go's bucket over all items
    would have many objects, which all have to wait for one fault, wait for each other as well.

    Args:
        base: Seconds before the first retry.
        maximum: Seconds, the longest wait.
    """

    def __init__(self, base: float = BASE_DELAY, maximum: float = MAX_DELAY) -> None:
        self._base = base
        self._maximum = maximum
        self._failures: dict[Hashable, int] = {}

    def when(self, item: Hashable) -> float:
        """Count one more failure; return `base * 2 ** failures` seconds, at most `maximum`."""
        failures = self._failures.get(item, 0)
        self._failures[item] = failures + 1
        return float(min(self._base * 2.0 ** min(failures, _MAX_EXPONENT), self._maximum))

    def forget(self, item: Hashable) -> None:
        """Start again at `base`."""
        self._failures.pop(item, None)
