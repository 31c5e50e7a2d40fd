"""A bound on log lines that are written for each failing call: no flood of them fills a disk.

What fails goes on failing, and a client may call as fast as it can. The first lines tell what is
wrong; of the others, the next line that is written tells how many there were.
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
"""Lines of one message that may come at once, after a time without."""

PER_SECOND_EACH: Final = 1.0
"""The same for one entry of a catalog: no tool that fails hides that others do."""

BURST_EACH: Final = 10.0

MAX_KINDS: Final = 4096
"""Kinds of lines that are counted separately; the one seen longest ago is forgotten first."""


@dataclass(slots=True)
class _Bucket:
    """What may still be written, and what was not."""

    left: float
    filled_at: float
    suppressed: int = 0

    def fill(self, now: float, per_second: float, most: float) -> None:
        self.left = min(most, self.left + (now - self.filled_at) * per_second)
        self.filled_at = now


class FewLines(logging.Filter):
    """Lets through some lines of each message, which are constant, and of each `entry` in them.

    A line after others that were left out has the field `suppressed`: how many.
    """

    def __init__(
        self, within: str, *, besides: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Set up a filter of a handler.

        Args:
            within: The loggers whose lines are counted: this one and those below it.
            besides: The logger among them that writes all of its lines.
            clock: Tells the time in seconds.
        """
        super().__init__(within)
        self._besides = besides
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._lock = threading.Lock()  # a handler's filters run before it takes its own

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is written; one that is may get the field `suppressed`."""
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
