"""The metrics of the controller runtime, under the names that existing dashboards query.

`controller_runtime_*`, `workqueue_*`, `rest_client_*` and `leader_election_*` use the names, labels
and buckets of controller-runtime and client-go, so that their dashboards and alerts work.

A family with labels exposes nothing until its first label set exists, and `rate()` then misses the
step from absent to 1. Users of a family therefore create its children at construction, and keep
them: a lookup with `.labels()` costs six times as much as an increment.
"""

from __future__ import annotations

import platform
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

RESULTS: Final = ("success", "error", "requeue", "requeue_after", "terminal")
"""How a reconciliation ended: the values of the label `result`."""

ERROR_RESULTS: Final = ("error", "terminal")
"""The results that also count as errors."""

RECONCILE_BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7),
    *(0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0),
    *(10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0),
)
"""Seconds; controller-runtime, pkg/internal/controller/metrics/metrics.go."""

QUEUE_BUCKETS: Final = tuple(10.0**exponent for exponent in range(-8, 4))
"""Seconds, 10 ns to 1000 s; controller-runtime, pkg/internal/metrics/workqueue.go."""

REQUEST_BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds; component-base, metrics/prometheus/restclient/metrics.go."""


def new_registry() -> CollectorRegistry:
    """Return a registry with process metrics and without `_created` samples.

    The `_created` samples double the size of the exposition, and our queries do not read them.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # unannotated upstream
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def add_build_info(registry: CollectorRegistry, prefix: str, version: str) -> None:
    """Expose `PREFIX_build_info`, whose labels are the versions, and whose value is 1.

    Args:
        registry: The registry that exposes the metric.
        prefix: The prefix of its name.
        version: The version of the program.
    """
    info = Gauge(
        f"{prefix}_build_info",
        "1; the labels are the versions of the program and of Python.",
        ("version", "python"),
        registry=registry,
    )
    info.labels(version, platform.python_version()).set(1)


class RuntimeMetrics:
    """Declares all metric families of the runtime on one registry.

    Args:
        registry: Where the families are registered; see `new_registry`.
        prefix: The prefix of the families that describe reconciliations by kind.
    """

    def __init__(self, registry: CollectorRegistry, prefix: str = "mcp_operator") -> None:
        self.registry = registry
        self._declare_reconciliations(prefix)
        self._declare_controllers()
        self._declare_queues()
        self._declare_requests()
        self._declare_informers()
        self._declare_process()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _declare_reconciliations(self, prefix: str) -> None:
        self.reconciliations = self._counter(
            f"{prefix}_reconciliation_total",
            "Reconciliations, by kind and result.",
            *("kind", "result"),
        )
        self.reconciliation_errors = self._counter(
            f"{prefix}_reconciliation_errors_total",
            "Failed reconciliations, by kind and result.",
            *("kind", "result"),
        )
        self.reconciliation_duration = self._histogram(
            f"{prefix}_reconciliation_duration_seconds",
            "Duration of a reconciliation, by kind and result.",
            RECONCILE_BUCKETS,
            *("kind", "result"),
        )

    def _declare_controllers(self) -> None:
        self.reconcile_total = self._counter(
            "controller_runtime_reconcile_total",
            "Reconciliations per controller, by result.",
            *("controller", "result"),
        )
        self.reconcile_errors = self._counter(
            "controller_runtime_reconcile_errors_total",
            "Failed reconciliations per controller.",
            "controller",
        )
        self.terminal_reconcile_errors = self._counter(
            "controller_runtime_terminal_reconcile_errors_total",
            "Failed reconciliations per controller that are not retried.",
            "controller",
        )
        self.reconcile_panics = self._counter(
            "controller_runtime_reconcile_panics_total",
            "Reconciliations per controller that raised an unexpected error.",
            "controller",
        )
        self.reconcile_timeouts = self._counter(
            "controller_runtime_reconcile_timeouts_total",
            "Reconciliations per controller that timed out.",
            "controller",
        )
        self.reconcile_time = self._histogram(
            "controller_runtime_reconcile_time_seconds",
            "Duration of a reconciliation per controller.",
            RECONCILE_BUCKETS,
            "controller",
        )
        self.max_concurrent_reconciles = self._gauge(
            "controller_runtime_max_concurrent_reconciles",
            "Maximum number of concurrent reconciliations per controller.",
            "controller",
        )
        self.active_workers = self._gauge(
            "controller_runtime_active_workers",
            "Workers per controller that are currently busy.",
            "controller",
        )

    def _declare_queues(self) -> None:
        labels = ("name", "controller")
        self.queue_depth = self._gauge(
            "workqueue_depth", "Items waiting in the queue, by priority.", *labels, "priority"
        )
        self.queue_adds = self._counter(
            "workqueue_adds_total", "Items accepted by the queue.", *labels
        )
        self.queue_retries = self._counter(
            "workqueue_retries_total", "Items added again with rate limiting.", *labels
        )
        self.queue_duration = self._histogram(
            "workqueue_queue_duration_seconds",
            "Time an item waited before a worker took it.",
            QUEUE_BUCKETS,
            *labels,
        )
        self.queue_work_duration = self._histogram(
            "workqueue_work_duration_seconds",
            "Time a worker spent on an item.",
            QUEUE_BUCKETS,
            *labels,
        )
        self.queue_unfinished_work = self._gauge(
            "workqueue_unfinished_work_seconds",
            "Seconds of work in progress, summed over all busy workers.",
            *labels,
        )
        self.queue_longest_running = self._gauge(
            "workqueue_longest_running_processor_seconds",
            "Seconds that the longest-running worker has been busy.",
            *labels,
        )

    def _declare_requests(self) -> None:
        self.requests = self._counter(
            "rest_client_requests_total", "Requests to the API server.", "code", "method", "host"
        )
        self.request_duration = self._histogram(
            "rest_client_request_duration_seconds",
            "Time from sending a request to the API server to receiving the response headers.",
            REQUEST_BUCKETS,
            *("verb", "host"),
        )
        self.rate_limiter_duration = self._histogram(
            "rest_client_rate_limiter_duration_seconds",
            "Time a request waited because too many requests were in flight.",
            REQUEST_BUCKETS,
            *("verb", "host"),
        )
        self.request_retries = self._counter(
            "rest_client_request_retries_total",
            "Retried requests to the API server.",
            *("code", "verb", "host"),
        )

    def _declare_informers(self) -> None:
        self.informer_relists = self._counter(
            "informer_relists_total", "Relists of a kind, by reason.", "kind", "reason"
        )
        self.informer_watch_restarts = self._counter(
            "informer_watch_restarts_total",
            "Restarts of the watch on a kind, by reason.",
            *("kind", "reason"),
        )
        self.informer_objects = self._gauge(
            "informer_objects", "Objects of a kind in the cache.", "kind"
        )
        self.informer_last_event = self._gauge(
            "informer_last_event_timestamp_seconds",
            "Unix time of the last watch event or bookmark of a kind.",
            "kind",
        )
        self.store_resource_version = self._gauge(
            "store_resource_version",
            "Latest resourceVersion of a resource that the cache has observed.",
            *("group", "version", "resource"),
        )
        self.drift_corrected = self._counter(
            "drift_corrected_total", "Children restored after an external change.", "kind"
        )

    def _declare_process(self) -> None:
        self.leader = self._gauge(
            "leader_election_master_status",
            "1 while this process holds the lease, 0 otherwise.",
            "name",
        )
        self.leader_slow_path = self._counter(
            "leader_election_slowpath_total",
            "Attempts to acquire or renew the lease that had to read it first.",
            "name",
        )
        self.event_loop_lag = self._gauge(
            "event_loop_lag_seconds", "Delay of the most recent timer of the event loop."
        )
