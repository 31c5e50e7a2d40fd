"""promtool evaluates every alert on the series of its fault and of a healthy system.

Series use the notation of promtool: `0+1x60` starts at 0 and grows by 1 a minute, 60 times.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.promql import documented, evaluated
from support.promtool import promtool
from support.provision import UnavailableError
from support.scrapes import firing, groups, rules

ALERTS = [rule["alert"] for rule in rules()]

OPERATOR = 'job="mcp-operator", pod="mcp-operator-0"'
GATEWAY = 'namespace="demo", pod="mcp-server-shop-0"'
SERVER = f'{OPERATOR}, kind="MCPServer", namespace="demo", name="shop"'
STOPPED = f'{OPERATOR}, kind="MCPServer", namespace="demo", name="stopped"'
SILENT = f'{OPERATOR}, kind="MCPServer", namespace="demo", name="silent"'
CALLS = f'{GATEWAY}, tool="search"'

HOURS = 8
MINUTES = HOURS * 60

HEALTHY: Mapping[str, str] = {
    f"up{{{OPERATOR}}}": f"1x{MINUTES}",
    f'leader_election_master_status{{{OPERATOR}, name="mcp-operator"}}': f"1x{MINUTES}",
    'leader_election_master_status{job="mcp-operator", pod="mcp-operator-1"}': f"0x{MINUTES}",
    f'rest_client_requests_total{{{OPERATOR}, code="200"}}': f"0+60x{MINUTES}",
    f'rest_client_requests_total{{{OPERATOR}, code="403"}}': f"0x{MINUTES}",
    # One conflict with another writer, which the retry resolved.
    f'mcp_operator_reconciliation_errors_total{{{OPERATOR}, kind="MCPServer", result="error"}}': (
        f"0x30 1x{MINUTES}"
    ),
    f'controller_runtime_reconcile_timeouts_total{{{OPERATOR}, controller="mcpserver"}}': (
        f"0x30 1x{MINUTES}"
    ),
    f"event_loop_lag_seconds{{{OPERATOR}}}": f"0.002x{MINUTES}",
    f'mcp_operator_resource_condition{{{SERVER}, type="Ready", status="True"}}': f"1x{MINUTES}",
    f'mcp_operator_resource_condition{{{SERVER}, type="Degraded", status="False"}}': f"1x{MINUTES}",
    # One server has zero replicas, and the image of another does not report its catalog.
    f'mcp_operator_resource_condition{{{STOPPED}, type="Ready", status="True"}}': f"1x{MINUTES}",
    f'mcp_operator_resource_condition{{{STOPPED}, type="Programmed", status="False"}}': (
        f"1x{MINUTES}"
    ),
    f'mcp_operator_resource_condition{{{SILENT}, type="Ready", status="True"}}': f"1x{MINUTES}",
    f'mcp_operator_resource_condition{{{SILENT}, type="Programmed", status="Unknown"}}': (
        f"1x{MINUTES}"
    ),
    # A rollout that takes three minutes.
    f'mcp_operator_resource_condition{{{SERVER}, type="Programmed", status="False"}}': (
        f"_x60 1x3 stale _x{MINUTES}"
    ),
    f'mcp_operator_resource_condition{{{SERVER}, type="Programmed", status="True"}}': (
        f"1x60 _x3 1x{MINUTES}"
    ),
    f"mcp_catalog_stale{{{GATEWAY}}}": f"0x{MINUTES}",
    f'mcp_catalog_entries{{{GATEWAY}, kind="tool"}}': f"10x60 9x{MINUTES}",
    f"mcp_redis_up{{{GATEWAY}}}": f"1x100 0x2 1x{MINUTES}",
    f"mcp_certificate_expiry_timestamp_seconds{{{GATEWAY}}}": f"{60 * 86400}x{MINUTES}",
    f'mcp_event_loop_lag_seconds_bucket{{{GATEWAY}, le="0.025"}}': f"0+600x{MINUTES}",
    f'mcp_event_loop_lag_seconds_bucket{{{GATEWAY}, le="1.0"}}': f"0+600x{MINUTES}",
    f'mcp_event_loop_lag_seconds_bucket{{{GATEWAY}, le="+Inf"}}': f"0+600x{MINUTES}",
    f'mcp_tool_calls_total{{{CALLS}, outcome="ok"}}': f"0+1000x{MINUTES}",
    # Clients without a key or over their limit, which the gateway has to refuse.
    f'mcp_authentications_total{{{GATEWAY}, outcome="missing"}}': f"0+5x{MINUTES}",
    f'mcp_limited_calls_total{{{GATEWAY}, limit="perClient"}}': f"0+5x{MINUTES}",
    # Mistakes of a model that guesses ids and arguments, for which no alert fires.
    f'mcp_tool_calls_total{{{CALLS}, outcome="invalid_arguments"}}': f"0+3000x{MINUTES}",
    f'mcp_tool_calls_total{{{CALLS}, outcome="client_error"}}': f"0+3000x{MINUTES}",
    f'mcp_tool_calls_total{{{CALLS}, outcome="timeout"}}': f"0+1x{MINUTES}",
    f'mcp_tool_call_duration_seconds_bucket{{{CALLS}, le="10.0"}}': f"0+1000x{MINUTES}",
    f'mcp_tool_call_duration_seconds_bucket{{{CALLS}, le="+Inf"}}': f"0+1001x{MINUTES}",
    f"mcp_tool_call_duration_seconds_count{{{CALLS}}}": f"0+1001x{MINUTES}",
}
"""A healthy system, with the errors that every healthy system has."""


@dataclass(frozen=True)
class Fault:
    """How a fault changes the series of a healthy system.

    Attributes:
        series: The series that differ.
        minute: When the alert must fire.
        early: When it must not fire yet.
        with_: Other alerts that also have to fire.
    """

    series: Mapping[str, str]
    minute: int
    early: int
    with_: tuple[str, ...] = field(default=())


def condition(type_: str, status: str, after: int) -> dict[str, str]:
    """Return the series of a condition whose status changes after some minutes."""
    other = "True" if status == "False" else "False"
    prefix = f"mcp_operator_resource_condition{{{SERVER}, type="
    return {
        f'{prefix}"{type_}", status="{other}"}}': f"1x{after} stale",
        f'{prefix}"{type_}", status="{status}"}}': f"_x{after} 1x{MINUTES}",
    }


FAULTS: Mapping[str, Fault] = {
    "MCPOperatorDown": Fault({f"up{{{OPERATOR}}}": f"1x10 0x{MINUTES}"}, minute=17, early=14),
    "MCPOperatorWithoutLeader": Fault(
        {f'leader_election_master_status{{{OPERATOR}, name="mcp-operator"}}': f"1x10 0x{MINUTES}"},
        minute=14,
        early=12,
    ),
    "MCPOperatorForbidden": Fault(
        # The retry interval grows to five minutes.
        {f'rest_client_requests_total{{{OPERATOR}, code="403"}}': "0x10 1x5 2x5 3x5 4x5 5x5 6x100"},
        minute=30,
        early=20,
    ),
    "MCPOperatorReconcileErrors": Fault(
        {
            f'mcp_operator_reconciliation_errors_total{{{OPERATOR}, kind="MCPServer",'
            ' result="error"}': "0x10 8x5 9x5 10x5 11x5 12x5 13x5 14x5 15x5 16x5"
        },
        minute=35,
        early=25,
    ),
    "MCPOperatorReconcileTimeouts": Fault(
        {
            # Cancelled after two minutes, and retried at most five minutes later.
            f'controller_runtime_reconcile_timeouts_total{{{OPERATOR}, controller="mcpserver"}}': (
                "0x10 1x6 2x6 3x6 4x6 5x6 6x6"
            )
        },
        minute=35,
        early=15,
    ),
    "MCPOperatorEventLoopLag": Fault(
        {f"event_loop_lag_seconds{{{OPERATOR}}}": f"0x10 2x{MINUTES}"}, minute=30, early=15
    ),
    "MCPServerNotReady": Fault(condition("Ready", "False", 10), minute=30, early=20),
    "MCPServerDegraded": Fault(condition("Degraded", "True", 10), minute=30, early=20),
    "MCPServerCatalogNotConfirmed": Fault(
        condition("Programmed", "False", 10) | condition("Ready", "False", 10), minute=20, early=13
    ),
    "MCPGatewayCatalogStale": Fault(
        {f"mcp_catalog_stale{{{GATEWAY}}}": f"0x10 1x{MINUTES}"}, minute=20, early=13
    ),
    "MCPGatewayToolsLost": Fault(
        {f'mcp_catalog_entries{{{GATEWAY}, kind="tool"}}': f"10x10 0x{MINUTES}"},
        minute=20,
        early=13,
    ),
    "MCPGatewayRedisDown": Fault(
        {f"mcp_redis_up{{{GATEWAY}}}": f"1x10 0x{MINUTES}"}, minute=20, early=13
    ),
    "MCPGatewayCertificateExpiring": Fault(
        {f"mcp_certificate_expiry_timestamp_seconds{{{GATEWAY}}}": f"{6 * 86400}x{MINUTES}"},
        minute=90,
        early=30,
    ),
    "MCPGatewayEventLoopLag": Fault(
        {f'mcp_event_loop_lag_seconds_bucket{{{GATEWAY}, le="0.025"}}': f"0+300x{MINUTES}"},
        minute=30,
        early=5,
    ),
    "MCPToolFailing": Fault(
        {
            f'mcp_tool_calls_total{{{CALLS}, outcome="ok"}}': f"0+1000x10 11000x{MINUTES}",
            f'mcp_tool_calls_total{{{CALLS}, outcome="invalid_arguments"}}': f"0x{MINUTES}",
            f'mcp_tool_calls_total{{{CALLS}, outcome="client_error"}}': f"0x{MINUTES}",
            f'mcp_tool_calls_total{{{CALLS}, outcome="unreachable"}}': f"0x10 0+1000x{MINUTES}",
        },
        minute=40,
        early=15,
        with_=("MCPCallErrorBudgetBurnFast", "MCPCallErrorBudgetBurnSlow"),
    ),
    "MCPCallErrorBudgetBurnFast": Fault(
        {f'mcp_tool_calls_total{{{CALLS}, outcome="backend_error"}}': f"0x240 0+2000x{MINUTES}"},
        minute=300,
        early=241,
        with_=("MCPCallErrorBudgetBurnSlow",),
    ),
    "MCPCallErrorBudgetBurnSlow": Fault(
        {f'mcp_tool_calls_total{{{CALLS}, outcome="backend_error"}}': f"0+700x{MINUTES}"},
        minute=450,
        early=5,
    ),
    "MCPCallLatencyBudgetBurn": Fault(
        {f'mcp_tool_call_duration_seconds_bucket{{{CALLS}, le="10.0"}}': f"0+900x{MINUTES}"},
        minute=450,
        early=5,
    ),
}


@pytest.fixture(scope="module")
def command() -> Path:
    try:
        return promtool()
    except UnavailableError as error:
        pytest.skip(str(error))


def run(command: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a command of our own
        [command, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_alert_has_a_fault_in_this_test() -> None:
    assert set(FAULTS) == set(ALERTS)


def test_no_alert_fires_in_a_healthy_system(command: Path) -> None:
    minutes = list(range(5, MINUTES, 25))
    assert firing(command, HEALTHY, minutes) == {minute: set() for minute in minutes}


@pytest.mark.parametrize("alert", FAULTS)
def test_only_the_alert_of_a_fault_fires(command: Path, alert: str) -> None:
    fault = FAULTS[alert]
    found = firing(command, {**HEALTHY, **fault.series}, [fault.early, fault.minute])
    assert alert not in found[fault.early]
    assert alert in found[fault.minute]
    assert found[fault.minute] <= {alert, *fault.with_}


def test_prometheus_accepts_the_rules(command: Path, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": groups()}), encoding="utf-8")
    checked = run(command, tmp_path, "check", "rules", file.name)
    assert checked.returncode == 0, checked.stderr


def test_the_documented_queries_find_something_where_alerts_fire(command: Path) -> None:
    faults = {
        series: values for fault in FAULTS.values() for series, values in fault.series.items()
    }
    series = {**HEALTHY, **faults}
    found = evaluated(command, series, documented().values(), MINUTES - 10)
    assert [query for query, samples in found.items() if not samples] == []
