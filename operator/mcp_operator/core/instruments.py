"""The metric families of `metrics`, bound to one controller, queue or API server.

Label sets that are known in advance are created with the instrument, so that they start at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mcp_operator.core.metrics import ERROR_RESULTS, RESULTS, RuntimeMetrics

_METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE")


class ControllerMetrics:
    """The metrics of one controller."""

    def __init__(self, name: str, kind: str, metrics: RuntimeMetrics) -> None:
        self._total = {each: metrics.reconcile_total.labels(name, each).inc for each in RESULTS}
        self._errors = metrics.reconcile_errors.labels(name)
        self._time = metrics.reconcile_time.labels(name).observe
        self._kind_total = {
            each: metrics.reconciliations.labels(kind, each).inc for each in RESULTS
        }
        self._kind_errors = {
            each: metrics.reconciliation_errors.labels(kind, each) for each in ERROR_RESULTS
        }
        self._kind_time = {
            each: metrics.reconciliation_duration.labels(kind, each).observe for each in RESULTS
        }
        self.terminal_errors = metrics.terminal_reconcile_errors.labels(name)
        self.panics = metrics.reconcile_panics.labels(name)
        self.timeouts = metrics.reconcile_timeouts.labels(name)

    def observe(self, result: str, seconds: float) -> None:
        """Count one reconciliation."""
        self._total[result](1)
        self._time(seconds)
        self._kind_total[result](1)
        self._kind_time[result](seconds)
        if result in ERROR_RESULTS:
            self._errors.inc()
            self._kind_errors[result].inc()


class QueueMetrics:
    """The `workqueue_*` metrics of one queue. Gauges are computed on each scrape.

    Args:
        name: The labels `name` and `controller`.
        metrics: The metric families.
        depth: Returns the number of waiting items with a priority.
        busy: Returns the processing time so far of each item in progress, in seconds.
    """

    def __init__(
        self,
        name: str,
        metrics: RuntimeMetrics,
        *,
        depth: Callable[[int], int],
        busy: Callable[[], list[float]],
    ) -> None:
        self._name = name
        self._depth = depth
        self._depths = metrics.queue_depth
        self._shown: set[int] = set()
        self.retries = metrics.queue_retries.labels(name, name)
        self._adds = metrics.queue_adds.labels(name, name).inc
        self._waited = metrics.queue_duration.labels(name, name).observe
        self._worked = metrics.queue_work_duration.labels(name, name).observe
        metrics.queue_unfinished_work.labels(name, name).set_function(lambda: sum(busy()))
        metrics.queue_longest_running.labels(name, name).set_function(
            lambda: max(busy(), default=0.0)
        )

    def added(self) -> None:
        """Count an accepted item."""
        self._adds(1)

    def waited(self, seconds: float) -> None:
        """Record how many seconds an item waited for a worker."""
        self._waited(seconds)

    def worked(self, seconds: float) -> None:
        """Record how many seconds a worker spent on an item."""
        self._worked(seconds)

    def show_depth(self, priority: int) -> None:
        """Start exposing the depth of a priority."""
        if priority not in self._shown:
            self._shown.add(priority)
            self._depths.labels(self._name, self._name, str(priority)).set_function(
                lambda: self._depth(priority)
            )


class RequestMetrics:
    """The `rest_client_*` metrics of one host."""

    def __init__(self, metrics: RuntimeMetrics, host: str) -> None:
        self._metrics = metrics
        self._host = host
        self._requests: dict[tuple[int, str], Callable[[float], None]] = {}
        self._durations = {m: metrics.request_duration.labels(m, host).observe for m in _METHODS}
        self._waits = {m: metrics.rate_limiter_duration.labels(m, host).observe for m in _METHODS}

    def waited(self, method: str, seconds: float) -> None:
        """Record how many seconds a request waited for a free slot."""
        self._waits[method](seconds)

    def answered(self, method: str, status: int, seconds: float) -> None:
        """Count a response, and record the seconds until its headers arrived."""
        self._durations[method](seconds)
        count = self._requests.get((status, method))
        if count is None:
            count = self._metrics.requests.labels(_code(status), method, self._host).inc
            self._requests[status, method] = count
        count(1)

    def retried(self, method: str, status: int) -> None:
        """Count a retry."""
        self._metrics.request_retries.labels(_code(status), method, self._host).inc()


def _code(status: int) -> str:
    """Return the label `code`; client-go uses `<error>` for a request without a response."""
    return str(status) if status else "<error>"
