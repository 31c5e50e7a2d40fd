"""What the parts of the runtime measure with: the families of `metrics`, for one of each part.

All label sets that are known beforehand are made when an instrument is, so that they begin at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mcp_operator.core.metrics import ERROR_RESULTS, RESULTS, RuntimeMetrics

_METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE")


class ControllerMetrics:
    """The families of controllers, for one of them."""

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
    """The `workqueue_*` families for one queue.

    What describes the present is computed when it is scraped, so that the queue need not keep it.

    Args:
        name: The labels `name` and `controller`.
        metrics: The families.
        depth: Returns how many items of a priority wait.
        busy: Returns for each item with a worker how many seconds it has been there.
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
        """Count an item that was accepted."""
        self._adds(1)

    def waited(self, seconds: float) -> None:
        """Record how long an item waited for a worker."""
        self._waited(seconds)

    def worked(self, seconds: float) -> None:
        """Record how long a worker had an item."""
        self._worked(seconds)

    def show_depth(self, priority: int) -> None:
        """Expose the depth of a priority from now on."""
        if priority not in self._shown:
            self._shown.add(priority)
            self._depths.labels(self._name, self._name, str(priority)).set_function(
                lambda: self._depth(priority)
            )


class RequestMetrics:
    """The `rest_client_*` families for one host."""

    def __init__(self, metrics: RuntimeMetrics, host: str) -> None:
        self._metrics = metrics
        self._host = host
        self._requests: dict[tuple[int, str], Callable[[float], None]] = {}
        self._durations = {m: metrics.request_duration.labels(m, host).observe for m in _METHODS}
        self._waits = {m: metrics.rate_limiter_duration.labels(m, host).observe for m in _METHODS}

    def waited(self, method: str, seconds: float) -> None:
        """Record how long a request waited for its slot."""
        self._waits[method](seconds)

    def answered(self, method: str, status: int, seconds: float) -> None:
        """Record an answer, and the time until its head came."""
        self._durations[method](seconds)
        count = self._requests.get((status, method))
        if count is None:
            count = self._metrics.requests.labels(_code(status), method, self._host).inc
            self._requests[status, method] = count
        count(1)

    def retried(self, method: str, status: int) -> None:
        """Record that a request is sent again."""
        self._metrics.request_retries.labels(_code(status), method, self._host).inc()


def _code(status: int) -> str:
    """Name a request without an answer as client-go does."""
    return str(status) if status else "<error>"
