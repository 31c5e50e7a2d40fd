"""Every command, option, variable, event, metric and chart value has its entry in the reference."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chart_values
import pytest
from events_reference import recorded

from mcp_operator import cli
from mcp_operator.api.conditions import STATUS, ConditionType
from mcp_operator.app.control_plane import EXIT_LEASE_LOST
from mcp_operator.app.mcp_client.settings import TOKEN_VARIABLE
from mcp_operator.cli import COMMANDS, build_parser
from mcp_operator.controllers.event_reasons import EVENT_CONDITIONS, EventReason
from mcp_operator.gateway.traces.setup import ENDPOINTS
from mcp_operator.settings import GatewaySettings, OperatorSettings, ServeSettings
from mcp_operator.settings.loading import declared
from support.scrapes import rules

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "mcp_operator"
CHART = ROOT / "charts" / "mcp-operator"

READ_BY: dict[str, set[str]] = {
    "load": set(),  # the settings, which have their own tables
    "headers": {TOKEN_VARIABLE},
    "StaticSecrets": {"MCP_OPERATOR_SECRET_NAMESPACE_NAME_KEY"},
    "from_environment": {ENDPOINTS[-1]},
    "getproxies": {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"},
}
"""The functions that get the whole environment, and the variables that the page lists for each."""


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def sections(name: str) -> dict[str, str]:
    """Return the text below each heading of the second level."""
    parts = re.split(r"^## (.+)\n", page(name), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def subparsers(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every command that the help lists, by its full name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for listed in action._choices_actions:
                yield from subparsers(action.choices[listed.dest], f"{name} {listed.dest}")
            return
    yield name, parser


def parsers() -> dict[str, argparse.ArgumentParser]:
    return dict(subparsers(build_parser(), "mcp-operator"))


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield file, node


def name_of(function: ast.expr) -> str:
    return getattr(function, "attr", "") or getattr(function, "id", "")


def test_every_command_has_a_section() -> None:
    assert list(sections("cli.md")) == list(parsers())
    assert len(parsers()) == len(COMMANDS)


def test_every_exit_code_has_a_row() -> None:
    rows = re.findall(r"^\| (\d+) \|", page("cli.md"), re.MULTILINE)
    codes = [getattr(cli, name) for name in cli.__all__ if name.startswith("EXIT_")]
    assert list(map(int, rows)) == sorted([*codes, EXIT_LEASE_LOST])


@pytest.mark.parametrize("command", parsers())
def test_every_option_of_a_command_has_a_row(command: str) -> None:
    rows = re.findall(r"^\| `([^`]+)`", sections("cli.md")[command], re.MULTILINE)
    documented = {tuple(re.findall(r"(?<!\S)--?[A-Za-z-]+|^[A-Z]+", row)) for row in rows}
    actions = [one for one in parsers()[command]._actions if "--help" not in one.option_strings]
    names = (one.option_strings or [str(one.metavar)] for one in actions)
    own = {tuple(name for name in each if not name.startswith("--no-")) for each in names}
    assert documented == own


@pytest.mark.parametrize(
    ("command", "model"),
    [("Operator", OperatorSettings), ("Gateway", GatewaySettings), ("Serve", ServeSettings)],
)
def test_every_setting_has_a_row(command: str, model: type[OperatorSettings]) -> None:
    rows = re.findall(r"^\| `(MCP_OPERATOR_\w+)`", sections("settings.md")[command], re.MULTILINE)
    assert rows == [one.variable for one in declared(model)]


def test_every_other_environment_variable_has_a_row() -> None:
    read = {
        str(call.args[0].value)
        for _, call in calls()
        if ast.unparse(call.func) in ("os.environ.get", "os.getenv")
        and isinstance(call.args[0], ast.Constant)
    }
    other = sections("settings.md")["Other variables"]
    documented = set(re.findall(r"^\| `(\w+)`", other, re.MULTILINE))
    assert read
    assert documented == read.union(*READ_BY.values())


def test_only_known_functions_get_the_whole_environment() -> None:
    found = set()
    for _, call in calls():
        name = name_of(call.func)
        if name == "to_thread":
            name = name_of(call.args[0])
        if name == "getproxies" or "os.environ" in map(ast.unparse, call.args):
            found.add(name)
    assert found == READ_BY.keys()


def test_every_reason_of_an_event_has_a_row() -> None:
    row = r"^\| (Normal|Warning) \| `(\w+)` \| (.+) \|$"
    rows = re.findall(row, page("events.md"), re.MULTILINE)
    expected = [
        (type_, str(reason), reason.explanation)
        for condition in (ConditionType.READY, ConditionType.DEGRADED)
        for reason, type_ in recorded(condition).items()
    ]
    expected += [(one.type, str(one), one.explanation) for one in EventReason]
    assert sorted(rows) == sorted(expected)
    assert {ConditionType.READY, ConditionType.DEGRADED} == EVENT_CONDITIONS


def test_only_the_status_reporter_records_events() -> None:
    recording = {
        file.name
        for file, call in calls()
        if name_of(call.func) == "event" and any(one.arg == "note" for one in call.keywords)
    }
    assert recording == {"status_reporter.py"}


def test_every_metric_has_a_row() -> None:
    makers = {"Counter", "Gauge", "Histogram", "Summary", "Info", "GaugeMetricFamily"}
    makers |= {"CounterMetricFamily", "_counter", "_gauge", "_histogram"}
    named = {
        ast.unparse(call.args[0]).strip("'f").replace("{prefix}", "mcp_operator")
        for _, call in calls()
        if name_of(call.func) in makers and call.args and len(call.args) + len(call.keywords) > 1
    }
    named = {name.removesuffix("_total") for name in named if "_" in name}
    rows = re.findall(r"^\| `(\w+)`", page("metrics.md"), re.MULTILINE)
    assert len(named) > 40
    assert named - {row.removesuffix("_total") for row in rows} == set()


def test_every_alert_has_a_section() -> None:
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert alerts
    assert alerts <= set(sections("alerts.md"))


def logged() -> set[str]:
    """Return the texts in the arguments of all calls that log a line or print an error."""
    logging = {"debug", "info", "warning", "error", "exception", "log", "write_line"}
    return {
        node.value
        for _, call in calls()
        if name_of(call.func) in logging
        for argument in call.args
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules()])
def test_the_runbook_of_an_alert_names_a_line_that_is_logged(alert: str) -> None:
    text = sections("alerts.md")[alert]
    named = re.findall(r"^Log line of the (?:operator|gateways): `([^`]+)`", text, re.MULTILINE)
    if not named:
        assert text.endswith("\nNo log line reports this.\n\n")
    assert set(named) <= logged()


def test_every_line_in_the_guide_to_logs_is_logged() -> None:
    guide = (ROOT / "docs" / "how-to" / "observe.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \| (?:operator|gateway)", guide, re.MULTILINE)
    lines = {line for row in rows for line in re.findall(r"`([^`]+)`", row)}
    assert len(lines) > 15
    assert lines <= logged()


def test_the_status_of_a_condition_is_written_as_in_objects() -> None:
    statuses = set(re.findall(r"^\| (\w+) \| `\w+` \|", page("conditions.md"), re.MULTILINE))
    assert statuses == set(STATUS.values())


NUMBERS = {"two": 2, "five": 5, "ten": 10}


def test_an_alert_fires_after_the_time_that_its_section_names() -> None:
    checked = 0
    for rule in (rule for rule in rules() if "alert" in rule):
        first = sections("alerts.md")[rule["alert"]].strip().partition("\n\n")[0]
        if said := re.findall(r"\bfor (\w+) minutes\b", " ".join(first.split())):
            minutes = NUMBERS.get(said[0]) or int(said[0])
            assert rule["for"] == f"{minutes}m", rule["alert"]
            checked += 1
    assert checked >= 9


def test_every_value_of_the_chart_has_a_row() -> None:
    values = chart_values.read((CHART / "values.yaml").read_text(encoding="utf-8"))
    rows = re.findall(r"^\| `([\w.]+)` \| \S", page("chart-values.md"), re.MULTILINE)
    assert rows == [leaf.key for value in values for leaf in value.leaves()]
