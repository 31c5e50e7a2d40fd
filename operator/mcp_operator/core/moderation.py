"""An event loop that is woken less often, as network cards interrupt less often under load.

A change has its effects within some milliseconds: answers to what was written, and what the watches
tell of it. To sleep between any two of them and be woken costs more than to read them, because
whoever ran meanwhile has taken the processor's caches, and one that rested is slow to begin.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Final

GATHER: Final = 0.002
"""Seconds for which events may gather once they have begun to follow each other, or while there is
other work."""

BUSY: Final = 0.02
"""Seconds after an event for which the next one counts as following it. What comes later is the
first of something new, and is read at once: nobody is to wait longer for a change."""

_SLEPT: Final = 0.0002
"""Seconds of a wait that was one. After less, events were there already, and there is no need for
more of them."""


_Ready = list[tuple[selectors.SelectorKey, int]]


class ModeratedSelector(selectors.DefaultSelector):
    """Lets events gather that follow each other closely.

    Args:
        now: Tells the time in seconds.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self._now = now
        self._sleep = sleep
        self._busy_until = self._look_at = 0.0

    def select(self, timeout: float | None = None) -> _Ready:
        """Wait for events as any selector does, and sometimes a little for more of them.

        A loop with other work asks at each of its rounds, without waiting: that is looked after
        now and then.
        """
        asked = self._now()
        if timeout == 0 and asked < self._look_at:
            return []
        found = self.wait(timeout)
        woken = self._now()
        self._look_at = woken + GATHER
        if found and timeout != 0 and woken - asked > _SLEPT:
            if woken < self._busy_until:
                self._sleep(GATHER)
                found = self.wait(0)
            self._busy_until = woken + BUSY
        return found

    def wait(self, timeout: float | None) -> _Ready:
        """Wait for events, and for nothing more."""
        return super().select(timeout)


def moderated_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, for `asyncio.Runner`."""
    return asyncio.SelectorEventLoop(ModeratedSelector())
