"""How late the event loop is: what one request or one backend keeps it from, all others feel."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

INTERVAL: Final = 0.1
"""Seconds between two looks."""

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; nothing that a client or a backend sends should hold the loop for longer than 0.05."""


FADING: Final = 0.7
"""What is left of a lag at the next look, if that finds none."""


class LagWatch:
    """Notes by how much each timer is late.

    Attributes:
        recent: By how much it was in the last looks at worst, in seconds; it fades.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare the metric."""
        self._lag = Histogram(
            "mcp_event_loop_lag_seconds",
            "Delay of the timers of the event loop, measured every 0.1 s.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._timer: asyncio.TimerHandle | None = None
        self.recent = 0.0

    def start(self) -> None:
        """Begin to look."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(INTERVAL, self._look, loop, loop.time() + INTERVAL)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        late = max(0.0, loop.time() - due)
        self._lag.observe(late)
        self.recent = max(late, FADING * self.recent)
        self.start()
