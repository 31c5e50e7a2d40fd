"""The Grafana dashboards of the chart and of the Kustomize component: all servers, and one server.

Only `ALL` and `ONE` need edits. The metric families come from core/metrics.py and
gateway/metrics.py.
"""  # noqa: INP001 - part of a script, not of a package

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PANEL_WIDTH: Final = 8
"""Columns of a panel. Grafana's grid has 24, so three panels are side by side."""

PANEL_HEIGHT: Final = 8

SCHEMA_VERSION: Final = 39
"""The schema version of Grafana 11. Newer versions migrate it."""

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

OPERATOR: Final = 'job="mcp-operator"'
GATEWAYS: Final = 'namespace=~"$namespace"'
SERVER: Final = 'namespace="$namespace",mcp_operator_dev_server="$server"'
"""Selects the gateway pods of one server. The PodMonitors copy the label from the pods."""

OBJECT: Final = f'{OPERATOR},kind="MCPServer",namespace="$namespace",name="$server"'
"""Selects the conditions of that server, which the operator exposes."""

Rows = Mapping[str, "tuple[Panel, ...]"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph.

    Attributes:
        title: What it shows.
        expression: PromQL.
        legend: The name of a series, with labels in double braces.
        unit: Grafana's unit of the numbers.
    """

    title: str
    expression: str
    legend: str
    unit: str = "short"


def _rate(family: str, by: str, matchers: str) -> str:
    return f"sum by ({by}) (rate({family}{{{matchers}}}[$__rate_interval]))"


def _p95(family: str, by: str, matchers: str) -> str:
    return _quantile(0.95, family, by, matchers)


def _quantile(share: float, family: str, by: str, matchers: str) -> str:
    return f"histogram_quantile({share}, {_rate(f'{family}_bucket', f'le, {by}', matchers)})"


ALL: Final[Rows] = {
    "Gateways": (
        Panel(
            "Requests by outcome",
            _rate("mcp_requests_total", "outcome", GATEWAYS),
            "{{outcome}}",
            "reqps",
        ),
        Panel(
            "Requests, 95th percentile",
            _p95("mcp_request_duration_seconds", "method", GATEWAYS),
            "{{method}}",
            "s",
        ),
        Panel(
            "Calls that failed, by tool",
            _rate("mcp_tool_calls_total", "namespace, tool", f'{GATEWAYS},outcome!="ok"'),
            "{{namespace}}/{{tool}}",
            "reqps",
        ),
        Panel(
            "Calls, 95th percentile, by tool",
            _p95("mcp_tool_call_duration_seconds", "namespace, tool", GATEWAYS),
            "{{namespace}}/{{tool}}",
            "s",
        ),
        Panel(
            "Requests that wait for backends",
            f"sum by (namespace, pod) (mcp_requests_in_flight{{{GATEWAYS}}})",
            "{{namespace}}/{{pod}}",
        ),
        Panel(
            "Pods that do not serve their newest catalog",
            f"sum by (namespace) (mcp_catalog_stale{{{GATEWAYS}}})",
            "{{namespace}}",
        ),
    ),
    "Operator": (
        Panel(
            "Reconciliations by result",
            _rate("mcp_operator_reconciliation_total", "kind, result", OPERATOR),
            "{{kind}} {{result}}",
            "ops",
        ),
        Panel(
            "Reconciliations, 95th percentile",
            _p95("mcp_operator_reconciliation_duration_seconds", "kind", OPERATOR),
            "{{kind}}",
            "s",
        ),
        Panel(
            "Objects that wait",
            f"sum by (name) (workqueue_depth{{{OPERATOR}}})",
            "{{name}}",
        ),
        Panel(
            "Requests to the API server",
            _rate("rest_client_requests_total", "method, code", OPERATOR),
            "{{method}} {{code}}",
            "reqps",
        ),
        Panel(
            "Leader",
            f"max by (pod) (leader_election_master_status{{{OPERATOR}}})",
            "{{pod}}",
        ),
        Panel(
            "Memory",
            f"process_resident_memory_bytes{{{OPERATOR}}}",
            "{{pod}}",
            "bytes",
        ),
    ),
}


ONE: Final[Rows] = {
    "Calls": (
        Panel(
            "Calls by outcome",
            _rate("mcp_tool_calls_total", "outcome", SERVER),
            "{{outcome}}",
            "reqps",
        ),
        Panel("Calls by tool", _rate("mcp_tool_calls_total", "tool", SERVER), "{{tool}}", "reqps"),
        Panel(
            "Calls that failed, by tool and cause",
            _rate("mcp_tool_calls_total", "tool, outcome", f'{SERVER},outcome!="ok"'),
            "{{tool}}: {{outcome}}",
            "reqps",
        ),
        Panel(
            "Calls, median by tool",
            _quantile(0.5, "mcp_tool_call_duration_seconds", "tool", SERVER),
            "{{tool}}",
            "s",
        ),
        Panel(
            "Calls, 95th percentile by tool",
            _p95("mcp_tool_call_duration_seconds", "tool", SERVER),
            "{{tool}}",
            "s",
        ),
        Panel(
            "Calls, 99th percentile by tool",
            _quantile(0.99, "mcp_tool_call_duration_seconds", "tool", SERVER),
            "{{tool}}",
            "s",
        ),
    ),
    "Requests and clients": (
        Panel(
            "Requests by method",
            _rate("mcp_requests_total", "method", SERVER),
            "{{method}}",
            "reqps",
        ),
        Panel(
            "Requests that failed, by method and outcome",
            _rate("mcp_requests_total", "method, outcome", f'{SERVER},outcome!="ok"'),
            "{{method}}: {{outcome}}",
            "reqps",
        ),
        Panel(
            "Requests, 95th percentile by method",
            _p95("mcp_request_duration_seconds", "method", SERVER),
            "{{method}}",
            "s",
        ),
        Panel(
            "Connections",
            f"sum by (pod) (mcp_open_connections{{{SERVER}}})",
            "{{pod}}",
        ),
        Panel("Event streams", f"sum by (pod) (mcp_open_streams{{{SERVER}}})", "{{pod}}"),
        Panel(
            "Clients by authentication",
            _rate("mcp_authentications_total", "outcome", SERVER),
            "{{outcome}}",
            "reqps",
        ),
    ),
    "Backends and limits": (
        Panel(
            "Calls that a backend failed, by tool and cause",
            _rate(
                "mcp_tool_calls_total",
                "tool, outcome",
                f'{SERVER},outcome=~"backend_error|client_error|timeout|unreachable"',
            ),
            "{{tool}}: {{outcome}}",
            "reqps",
        ),
        Panel(
            "Requests that wait for backends",
            f"sum by (pod) (mcp_requests_in_flight{{{SERVER}}})",
            "{{pod}}",
        ),
        Panel(
            "Calls that a limit refused",
            _rate("mcp_limited_calls_total", "limit", SERVER),
            "{{limit}}",
            "reqps",
        ),
        Panel(
            "Answers by cache",
            _rate("mcp_response_cache_total", "outcome", SERVER),
            "{{outcome}}",
            "reqps",
        ),
        Panel("Redis is available", f"min by (pod) (mcp_redis_up{{{SERVER}}})", "{{pod}}"),
    ),
    "Sessions and tasks": (
        Panel(
            "Sessions that begin",
            _rate("mcp_requests_total", "outcome", f'{SERVER},method="initialize"'),
            "{{outcome}}",
            "reqps",
        ),
        Panel(
            "Requests about tasks",
            _rate("mcp_requests_total", "method", f'{SERVER},method=~"tasks/.+"'),
            "{{method}}",
            "reqps",
        ),
        Panel(
            "Calls that wait for what clients are asked",
            f"sum by (pod) (mcp_calls_asking{{{SERVER}}})",
            "{{pod}}",
        ),
    ),
    "Catalog and conditions": (
        Panel(
            "Conditions: 1 where the status is True",
            f'max by (type) (mcp_operator_resource_condition{{{OBJECT},status="True"}})'
            # A status that an object no longer has is not a series.
            f" or 0 * max by (type) (mcp_operator_resource_condition{{{OBJECT}}})",
            "{{type}}",
        ),
        Panel(
            "Pods by the catalog that they serve",
            f"count by (digest) (mcp_catalog_info{{{SERVER}}} == 1)",
            "{{digest}}",
        ),
        Panel(
            "Pods that do not serve their newest catalog",
            f"sum by (pod) (mcp_catalog_stale{{{SERVER}}})",
            "{{pod}}",
        ),
        Panel(
            "Entries by kind",
            f"max by (kind) (mcp_catalog_entries{{{SERVER}}})",
            "{{kind}}",
        ),
        Panel(
            "Catalogs that could not be loaded",
            _rate("mcp_catalog_load_failures_total", "pod", SERVER),
            "{{pod}}",
            "ops",
        ),
        Panel(
            "Age of the catalog",
            # It is 0 until a pod has loaded a catalog.
            f"time() - max by (pod) (mcp_catalog_loaded_timestamp_seconds{{{SERVER}}} > 0)",
            "{{pod}}",
            "s",
        ),
    ),
    "Pods": (
        Panel(
            "Event loop lag, 99th percentile",
            _quantile(0.99, "mcp_event_loop_lag_seconds", "pod", SERVER),
            "{{pod}}",
            "s",
        ),
        Panel(
            "CPU",
            _rate("process_cpu_seconds_total", "pod", SERVER),
            "{{pod}}",
            "percentunit",
        ),
        Panel(
            "Memory",
            f"sum by (pod) (process_resident_memory_bytes{{{SERVER}}})",
            "{{pod}}",
            "bytes",
        ),
    ),
}


def rendered() -> dict[str, str]:
    """Return the dashboards in Grafana's import format, by file name."""
    return {
        "mcp-operator.json": _document(
            "mcp-operator", "MCP operator and gateways", ALL, [_namespace(several=True)]
        ),
        "mcp-server.json": _document(
            "mcp-server", "MCP server", ONE, [_namespace(several=False), _SERVERS]
        ),
    }


def _document(uid: str, title: str, rows: Rows, variables: list[dict[str, Any]]) -> str:
    panels: list[dict[str, Any]] = []
    top = 0
    for row, members in rows.items():
        panels.append({**_place(top, 0, 24, 1), "type": "row", "title": row, "panels": []})
        top += 1
        for number, panel in enumerate(members):
            down, across = divmod(number * PANEL_WIDTH, 24)
            place = _place(top + down * PANEL_HEIGHT, across, PANEL_WIDTH, PANEL_HEIGHT)
            panels.append({**place, **_graph(panel)})
        top += -(-len(members) * PANEL_WIDTH // 24) * PANEL_HEIGHT
    document = {
        "uid": uid,
        "title": title,
        "tags": ["mcp", "kubernetes"],
        "editable": False,
        "schemaVersion": SCHEMA_VERSION,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [_SOURCES, *variables]},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }
    return json.dumps(document, indent=1) + "\n"


def _place(top: int, left: int, width: int, height: int) -> dict[str, Any]:
    return {"gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _graph(panel: Panel) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": "A", "expr": panel.expression, "legendFormat": panel.legend},
        ],
    }


_SOURCES: Final[dict[str, Any]] = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
}


def _query(name: str, label: str, query: str) -> dict[str, Any]:
    """Return a variable with the values of a label, refreshed when the time range changes."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,
    }


_SERVERS: Final = _query(
    "server",
    "Server",
    'label_values(mcp_catalog_info{namespace="$namespace"}, mcp_operator_dev_server)',
)


def _namespace(*, several: bool) -> dict[str, Any]:
    one = _query("namespace", "Namespace", "label_values(mcp_catalog_info, namespace)")
    if not several:
        return one
    every = {"text": "All", "value": "$__all"}
    return {**one, "includeAll": True, "multi": True, "allValue": ".*", "current": every}
