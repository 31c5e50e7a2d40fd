"""The conditions of our objects as a metric, so that alerts can name the object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mcp_operator.core.meta import Object
from mcp_operator.runtime.store import Store

MAX_SERIES: Final = 20_000
"""The maximum number of series, so that users who can create objects cannot flood Prometheus. It is
enough for 4,000 objects with all their conditions. A second metric counts the omitted ones."""

LABELS: Final = ("kind", "namespace", "name", "type", "status")


class ConditionMetrics(Collector):
    """Exposes one series for each condition of each object in the caches.

    It is computed on each scrape, from the statuses that the API server has.
    """

    def __init__(self, stores: Mapping[str, Store], limit: int = MAX_SERIES) -> None:
        """Set up.

        Args:
            stores: The caches of our objects by kind, the most important kind first.
            limit: The maximum number of series.
        """
        self._stores = stores
        self._limit = limit

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the families, for the registry's check for duplicates."""
        return self._families()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return both families with their current samples."""
        conditions, omitted = self._families()
        left_out = 0
        for series in self._series():
            if len(conditions.samples) < self._limit:
                conditions.add_metric(series, 1)
            else:
                left_out += 1
        omitted.add_metric((), left_out)
        return conditions, omitted

    def _series(self) -> Iterator[tuple[str, ...]]:
        for kind, store in self._stores.items():
            for raw in store:
                yield from _conditions(kind, raw)

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily(
                "mcp_operator_resource_condition",
                "1 for the current status of each condition of each object.",
                labels=LABELS,
            ),
            GaugeMetricFamily(
                "mcp_operator_resource_conditions_omitted",
                f"Conditions left out of mcp_operator_resource_condition, beyond {MAX_SERIES}.",
            ),
        )


def _conditions(kind: str, raw: Object) -> Iterator[tuple[str, ...]]:
    """Yield the labels of each condition; a status can hold anything that the schema allows."""
    metadata = raw["metadata"]
    for condition in (raw.get("status") or {}).get("conditions") or ():
        yield (
            *(kind, metadata.get("namespace", ""), metadata["name"]),
            *(condition.get("type", ""), condition.get("status", "")),
        )
