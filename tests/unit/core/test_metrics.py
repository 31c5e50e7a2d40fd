from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mcp_operator.core.metrics import (
    QUEUE_BUCKETS,
    RECONCILE_BUCKETS,
    RuntimeMetrics,
    new_registry,
)

LABELS = {
    "controller_runtime_active_workers": "controller",
    "controller_runtime_max_concurrent_reconciles": "controller",
    "controller_runtime_reconcile_errors": "controller",
    "controller_runtime_reconcile_panics": "controller",
    "controller_runtime_reconcile_time_seconds": "controller",
    "controller_runtime_reconcile_timeouts": "controller",
    "controller_runtime_reconcile": "controller result",
    "controller_runtime_terminal_reconcile_errors": "controller",
    "drift_corrected": "kind",
    "event_loop_lag_seconds": "",
    "informer_last_event_timestamp_seconds": "kind",
    "informer_objects": "kind",
    "informer_relists": "kind reason",
    "informer_watch_restarts": "kind reason",
    "leader_election_master_status": "name",
    "leader_election_slowpath": "name",
    "mcp_operator_reconciliation_duration_seconds": "kind result",
    "mcp_operator_reconciliation_errors": "kind result",
    "mcp_operator_reconciliation": "kind result",
    "rest_client_rate_limiter_duration_seconds": "verb host",
    "rest_client_request_duration_seconds": "verb host",
    "rest_client_request_retries": "code verb host",
    "rest_client_requests": "code method host",
    "store_resource_version": "group version resource",
    "workqueue_adds": "name controller",
    "workqueue_depth": "name controller priority",
    "workqueue_longest_running_processor_seconds": "name controller",
    "workqueue_queue_duration_seconds": "name controller",
    "workqueue_retries": "name controller",
    "workqueue_unfinished_work_seconds": "name controller",
    "workqueue_work_duration_seconds": "name controller",
}
"""Every family with its labels; the parser drops the suffix `_total` of counters."""


def test_the_metric_families_have_the_labels_that_dashboards_use() -> None:
    new_registry()  # turns off the `_created` families for the whole process
    metrics = RuntimeMetrics(CollectorRegistry())
    for family in vars(metrics).values():
        if hasattr(family, "labels") and family._labelnames:
            family.labels(*family._labelnames)

    exposed = {
        family.name: family.samples[0].labels.keys() - {"le"}
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
    }

    assert exposed == {name: set(labels.split()) for name, labels in LABELS.items()}


def test_an_unused_child_of_a_metric_is_exposed_at_zero() -> None:
    metrics = RuntimeMetrics(new_registry(), prefix="example")

    metrics.reconciliations.labels("MCPServer", "error")

    sample = {"kind": "MCPServer", "result": "error"}
    assert metrics.registry.get_sample_value("example_reconciliation_total", sample) == 0


def test_the_registry_has_process_metrics_and_no_created_samples() -> None:
    metrics = RuntimeMetrics(new_registry())
    metrics.reconcile_errors.labels("mcpserver").inc()

    exposition = generate_latest(metrics.registry).decode()

    assert "process_resident_memory_bytes" in exposition
    assert "_created" not in exposition


def test_the_buckets_match_those_of_controller_runtime() -> None:
    assert len(RECONCILE_BUCKETS) == 40
    assert list(RECONCILE_BUCKETS) == sorted(set(RECONCILE_BUCKETS))
    assert QUEUE_BUCKETS[0] == pytest.approx(1e-8)
    assert QUEUE_BUCKETS[-1] == pytest.approx(1e3)
    assert len(QUEUE_BUCKETS) == 12
