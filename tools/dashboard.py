"""The Grafana dashboard of the chart.

`ROWS` is all there is to edit: the families come from core/metrics.py and gateway/metrics.py.
"""  # noqa: INP001 - part of a script, not of a package

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

PANEL_WIDTH: Final = 8
"""Of the 24 columns of Grafana's grid: three panels side by side."""

PANEL_HEIGHT: Final = 8

SCHEMA_VERSION: Final = 39
"""Of Grafana 11; newer ones migrate it."""

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

OPERATOR: Final = 'job="mcp-operator"'
GATEWAYS: Final = 'namespace=~"$namespace"'


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph.

    Attributes:
        title: What it shows.
        expression: PromQL.
        legend: Names a series, with labels in double braces.
        unit: How Grafana writes the numbers.
    """

    title: str
    expression: str
    legend: str
    unit: str = "short"


def _rate(family: str, by: str, matchers: str) -> str:
    return f"sum by ({by}) (rate({family}{{{matchers}}}[$__rate_interval]))"


def _p95(family: str, by: str, matchers: str) -> str:
    return f"histogram_quantile(0.95, {_rate(f'{family}_bucket', f'le, {by}', matchers)})"


ROWS: Final = {
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


def render() -> str:
    """Return the dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row, members in ROWS.items():
        panels.append({**_place(top, 0, 24, 1), "type": "row", "title": row, "panels": []})
        top += 1
        for number, panel in enumerate(members):
            down, across = divmod(number * PANEL_WIDTH, 24)
            place = _place(top + down * PANEL_HEIGHT, across, PANEL_WIDTH, PANEL_HEIGHT)
            panels.append({**place, **_graph(panel)})
        top += -(-len(members) * PANEL_WIDTH // 24) * PANEL_HEIGHT
    document = {
        "uid": "mcp-operator",
        "title": "MCP operator and gateways",
        "tags": ["mcp", "kubernetes"],
        "editable": False,
        "schemaVersion": SCHEMA_VERSION,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": _variables()},
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


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
        {
            "name": "namespace",
            "label": "Namespace",
            "type": "query",
            "datasource": SOURCE,
            "query": "label_values(mcp_catalog_info, namespace)",
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
            "refresh": 2,
        },
    ]
