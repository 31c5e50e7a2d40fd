"""Records for metrics, put off until somebody looks.

To count an event is a microsecond of prometheus_client's in a loop and five between other work, and
a change has thirty of them. Here each is noted at once, and counted with all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

MOST: Final = 1000
"""Records that are noted before they are counted without anybody looking: some 100 KB."""


class Postponed(Collector):
    """Notes what to record, and records it before the registry's own metrics are collected.

    Args:
        registry: Where the metrics are registered, after this.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._noted: list[tuple[Callable[[float], None], float]] = []
        registry.register(self)

    def __call__(self, record: Callable[[float], None], value: float) -> None:
        """Have `record` called with `value`, in its turn, before it makes a difference."""
        self._noted.append((record, value))
        if len(self._noted) >= MOST:
            self.collect()

    def collect(self) -> Iterable[Metric]:
        """Record everything; what comes of it, the metrics themselves tell."""
        noted, self._noted = self._noted, []
        for record, value in noted:
            record(value)
        return ()
