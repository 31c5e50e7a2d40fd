"""Token buckets in this process, by the generic cell rate algorithm (ITU-T I.371, annex A).

A bucket is one number: the time when it will be full again. Each call moves that time forward by
the cost of one call. A call is refused if the bucket would then take longer than its filling time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.gateway.limits.errors import Limit

MAX_BUCKETS: Final = 20_000
"""Buckets that are kept, in about 4 MiB: one per client and limit. Beyond that, the least recently
used one is dropped, which means that it is full again."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One of the buckets that a call takes from.

    Attributes:
        key: Its name.
        interval: Seconds until one call is available again.
        filling: Seconds until an empty bucket is full.
        limit: The limit that it enforces.
    """

    key: str
    interval: float
    filling: float
    limit: Limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """An empty bucket, and the seconds until it admits the call."""

    bucket: Bucket
    wait: float


class LocalBuckets:
    """The buckets in the memory of this process."""

    def __init__(self, capacity: int = MAX_BUCKETS) -> None:
        """Set up.

        Args:
            capacity: How many buckets are kept.
        """
        self._capacity = capacity
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, buckets: Sequence[Bucket], now: float) -> Verdict | None:
        """Take one call from every bucket; if any of them is empty, take from none.

        Args:
            buckets: The buckets that count the call.
            now: The time, in seconds from any fixed point.

        Returns:
            The bucket with the longest wait, or None if the call is admitted.
        """
        worst = self.look(buckets, now)
        if worst is None:
            for bucket in buckets:
                self.set(bucket, max(self._full_at.get(bucket.key, now), now) + bucket.interval)
        return worst

    def look(self, buckets: Sequence[Bucket], now: float) -> Verdict | None:
        """Return what `take` would return, without taking anything."""
        worst: Verdict | None = None
        for bucket in buckets:
            full_at = self._full_at.get(bucket.key)
            if full_at is None or full_at <= now:
                continue
            if full_at > now + bucket.filling:  # set while the limit was higher
                full_at = self._full_at[bucket.key] = now + bucket.filling
            wait = full_at + bucket.interval - now - bucket.filling
            if wait > _ROUNDING * bucket.filling and (worst is None or wait > worst.wait):
                worst = Verdict(bucket, wait)
        return worst

    def set(self, bucket: Bucket, full_at: float) -> None:
        """Set the time when a bucket will be full."""
        self._full_at[bucket.key] = full_at
        self._full_at.move_to_end(bucket.key)
        if len(self._full_at) > self._capacity:
            self._full_at.popitem(last=False)


_ROUNDING: Final = 1e-9
"""Rounding error of sums of fractions, as a fraction of the filling time."""
