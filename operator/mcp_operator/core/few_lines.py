"""Limits the log lines that are written for each failing call, so that they cannot fill a disk.

A broken tool keeps failing, and a client can call it at any rate. The first lines say what is
wrong. After that, each line that is written says how many were suppressed before it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

PER_SECOND: Final = 5.0
"""Lines of one message a second, in the long run."""

BURST: Final = 100.0
"""Lines of one message that can be written at once after a quiet period."""

PER_SECOND_EACH: Final = 1.0
"""The same for one catalog entry, so that a failing tool does not hide the failures of others."""

BURST_EACH: Final = 10.0

MAX_KINDS: Final = 4096
"""Kinds of lines that are counted separately; the least recently seen one is dropped first."""


@dataclass(slots=True)
class _Bucket:
    """How many lines can still be written, and how many were suppressed."""

    left: float
    filled_at: float
    suppressed: int = 0

    def fill(self, now: float, per_second: float, most: float) -> None:
        self.left = min(most, self.left + (now - self.filled_at) * per_second)
        self.filled_at = now


class FewLines(logging.Filter):
    """Limits the lines of each message, which is constant, and of each value of its field `entry`.

    The first line after suppressed ones has the field `suppressed`, which is their number.
    """

    def __init__(
        self, within: str, *, besides: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Set up a filter of a handler.

        Args:
            within: The logger whose lines are limited, together with its children.
            besides: The logger among these whose lines are not limited.
            clock: Returns the time in seconds.
        """
        super().__init__(within)
        self._besides = besides
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._lock = threading.Lock()  # a handler runs its filters without its own lock

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a line; set its field `suppressed` if others were suppressed."""
        if not super().filter(record) or record.name == self._besides:
            return True
        message, entry = str(record.msg), str(getattr(record, "entry", ""))
        with self._lock:
            now = self._clock()
            every = self._bucket((message, ""), now, PER_SECOND, BURST)
            own = every
            if entry:
                own = self._bucket((message, entry), now, PER_SECOND_EACH, BURST_EACH)
            if min(every.left, own.left) < 1:
                own.suppressed += 1
                return False
            for bucket in {id(one): one for one in (every, own)}.values():
                bucket.left -= 1
            suppressed, own.suppressed = own.suppressed, 0
        if suppressed:
            record.suppressed = suppressed
        return True

    def _bucket(self, kind: tuple[str, str], now: float, per_second: float, most: float) -> _Bucket:
        bucket = self._buckets.setdefault(kind, _Bucket(most, now))
        self._buckets.move_to_end(kind)
        if len(self._buckets) > MAX_KINDS:
            self._buckets.popitem(last=False)
        bucket.fill(now, per_second, most)
        return bucket
