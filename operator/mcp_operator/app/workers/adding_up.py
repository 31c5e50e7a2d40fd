"""Combines the metrics of several processes into those of one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

GREATEST: Final = frozenset(
    {
        "event_loop_lag_seconds",
        "informer_objects",
        "mcp_catalog_entries",
        "mcp_catalog_info",
        "mcp_catalog_loaded_timestamp_seconds",
        "mcp_catalog_stale",
        "mcp_gateway_build_info",
        "python_info",
    }
)
"""Gauges with the maximum: all processes have the same value, or the worst value counts."""

LEAST: Final = frozenset(
    {
        "informer_last_event_timestamp_seconds",
        "mcp_certificate_expiry_timestamp_seconds",
        "mcp_redis_up",
        "process_max_fds",
        "process_start_time_seconds",
        "store_resource_version",
    }
)
"""Gauges with the minimum: the process that is furthest behind counts, or has the least."""

ADDED: Final = frozenset(
    {
        "mcp_calls_asking",
        "mcp_open_connections",
        "mcp_open_streams",
        "mcp_requests_in_flight",
        "mcp_tasks_in_progress",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
    }
)
"""Gauges with the sum, as for counters and histograms."""

_GROWING: Final = frozenset({"counter", "histogram"})


class Totals:
    """Adds up the metrics of workers, including those from before a restart.

    Counts are kept when a worker ends, because Prometheus reads a falling sum as a restart of the
    whole process.
    """

    def __init__(self) -> None:
        self._latest: dict[Hashable, list[Metric]] = {}
        self._ended: list[Metric] = []

    def note(self, worker: Hashable, text: str) -> None:
        """Record the metrics of a worker, in the Prometheus text format."""
        self._latest[worker] = list(text_string_to_metric_families(text))

    def end(self, worker: Hashable) -> None:
        """Record that a worker ended, and keep its last counters and histograms."""
        seen = self._latest.pop(worker, [])
        counted = [family for family in seen if family.type in _GROWING]
        self._ended = list(_added_up((self._ended, counted)))

    def text(self) -> bytes:
        """Return the sums in the Prometheus text format."""
        registry = CollectorRegistry()
        registry.register(_Sums(_added_up((self._ended, *self._latest.values()))))
        return generate_latest(registry)


class _Sums(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _added_up(sources: Iterable[Iterable[Metric]]) -> Iterator[Metric]:
    """Yield each family once, with each of its series once."""
    families: dict[str, Metric] = {}
    series: dict[str, dict[tuple[object, ...], Sample]] = {}
    for source in sources:
        for family in source:
            families.setdefault(family.name, family)
            known = series.setdefault(family.name, {})
            for sample in family.samples:
                key = (sample.name, *sorted(sample.labels.items()))
                before = known.get(key)
                known[key] = sample if before is None else _joined(family.name, before, sample)
    for name, family in families.items():
        total = Metric(name, family.documentation, family.type)
        total.samples = list(series[name].values())
        yield total


def _joined(family: str, one: Sample, other: Sample) -> Sample:
    if family in GREATEST:
        value = max(one.value, other.value)
    elif family in LEAST:
        value = min(one.value, other.value)
    else:
        value = one.value + other.value
    return one._replace(value=value)
