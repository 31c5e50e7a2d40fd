"""Token buckets in this process, by the generic cell rate algorithm (ITU-T I.371, annex A).

A bucket is one number: when it will be full again. A call moves that time on by what one call
costs, and is refused where the bucket would then be full only after more than a whole filling.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.gateway.limits.errors import Limit

MAX_BUCKETS: Final = 20_000
"""Buckets kept, in some 4 MiB: one for each client and limit. Of more, the one goes that was used
longest ago; it is then a full one again."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One of the buckets that a call takes from.

    Attributes:
        key: Its name.
        interval: Seconds in which one call comes back.
        filling: Seconds in which an empty bucket fills.
        limit: The limit that it stands for.
    """

    key: str
    interval: float
    filling: float
    limit: Limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which bucket is empty, and for how many seconds it stays so."""

    bucket: Bucket
    wait: float


class LocalBuckets:
    """The buckets of this process."""

    def __init__(self, capacity: int = MAX_BUCKETS) -> None:
        """Set up.

        Args:
            capacity: How many are kept.
        """
        self._capacity = capacity
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, buckets: Sequence[Bucket], now: float) -> Verdict | None:
        """Take one call from each bucket, or none from any where one is empty.

        Args:
            buckets: Those that the call counts for.
            now: The time, in seconds from any beginning.

        Returns:
            What keeps the call from being taken for longest; None where it is taken.
        """
        worst = self.look(buckets, now)
        if worst is None:
            for bucket in buckets:
                self.set(bucket, max(self._full_at.get(bucket.key, now), now) + bucket.interval)
        return worst

    def look(self, buckets: Sequence[Bucket], now: float) -> Verdict | None:
        """Return what `take` would, and take nothing."""
        worst: Verdict | None = None
        for bucket in buckets:
            full_at = self._full_at.get(bucket.key)
            if full_at is None or full_at <= now:
                continue
            if full_at > now + bucket.filling:  # of a limit that was wider before
                full_at = self._full_at[bucket.key] = now + bucket.filling
            wait = full_at + bucket.interval - now - bucket.filling
            if wait > _ROUNDING * bucket.filling and (worst is None or wait > worst.wait):
                worst = Verdict(bucket, wait)
        return worst

    def set(self, bucket: Bucket, full_at: float) -> None:
        """Note when a bucket will be full."""
        self._full_at[bucket.key] = full_at
        self._full_at.move_to_end(bucket.key)
        if len(self._full_at) > self._capacity:
            self._full_at.popitem(last=False)


_ROUNDING: Final = 1e-9
"""What sums of fractions may be off, of a filling."""
