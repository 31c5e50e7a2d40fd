"""Measures the delay of the event loop. Whatever blocks the loop delays every request."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

INTERVAL: Final = 0.1
"""Seconds between two measurements."""

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; no input from clients or backends should block the loop for longer than 0.05."""


FADING: Final = 0.7
"""Fraction of a past delay that is left after each measurement without one."""


class LagWatch:
    """Measures how late its own timers run.

    Attributes:
        recent: The worst recent delay in seconds; it decays.
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
        """Start to measure."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(INTERVAL, self._look, loop, loop.time() + INTERVAL)

    def stop(self) -> None:
        """Stop measuring."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        late = max(0.0, loop.time() - due)
        self._lag.observe(late)
        self.recent = max(late, FADING * self.recent)
        self.start()
