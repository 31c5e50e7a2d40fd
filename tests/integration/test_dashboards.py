"""The queries of the dashboards and of the documentation, evaluated on a shop in use.

The test scrapes an operator and a gateway before and after clients call tools. It extends the
series in time, and promtool evaluates the queries. Grafana is not part of it: the test substitutes
the variables as Grafana does.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from drill_environment import TOOL
from integration.used_shop import CACHED, LIMITED, TASK, UsedShop, used_shop
from support.controlplane import Cluster, ControlPlane
from support.kustomize import MANIFESTS
from support.promql import Sample, documented, evaluated, names
from support.promtool import promtool
from support.provision import UnavailableError
from support.scrapes import BEGIN, Scrape, extended

NAMESPACE = UsedShop.own_namespace

MINUTE = BEGIN + 20
"""The minute of the evaluation; the calls begin at `BEGIN`."""

OPERATOR, GATEWAY = "mcp-operator-0", "the gateway"
"""The pods in legends. The second replaces the generated name of the pod."""

ZERO: frozenset[str] = frozenset()
"""For a panel whose lines can all be at zero."""

CALLED = {TOOL, CACHED, LIMITED, TASK, "search-products"}

SHOWN: Mapping[str, Mapping[str, set[str] | frozenset[str]]] = {
    "mcp-operator": {
        "Requests by outcome": {"ok", "tool_error", "rejected"},
        "Requests, 95th percentile": {"initialize", "tools/call", "tools/list", "tasks/get"},
        "Calls that failed, by tool": {f"{NAMESPACE}/{TOOL}", f"{NAMESPACE}/search-products"},
        "Calls, 95th percentile, by tool": {f"{NAMESPACE}/{tool}" for tool in CALLED},
        "Requests that wait for backends": {f"{NAMESPACE}/{GATEWAY}"},
        "Pods that do not serve their newest catalog": ZERO,
        "Reconciliations by result": {"MCPServer success"},
        "Reconciliations, 95th percentile": {"MCPServer"},
        "Objects that wait": ZERO,
        "Requests to the API server": {"PATCH 200"},
        "Leader": {OPERATOR},
        "Memory": {OPERATOR},
    },
    "mcp-server": {
        "Calls by outcome": {"ok", "backend_error", "client_error", "invalid_arguments"},
        "Calls by tool": CALLED,
        "Calls that failed, by tool and cause": {
            f"{TOOL}: backend_error",
            f"{TOOL}: client_error",
            "search-products: invalid_arguments",
        },
        "Calls, median by tool": CALLED,
        "Calls, 95th percentile by tool": CALLED,
        "Calls, 99th percentile by tool": CALLED,
        "Requests by method": {"initialize", "tools/call", "tools/list", "tasks/get"},
        "Requests that failed, by method and outcome": {
            "tools/call: rejected",
            "tools/call: tool_error",
        },
        "Requests, 95th percentile by method": {"initialize", "tools/call", "tasks/get"},
        "Connections": {GATEWAY},
        "Event streams": {GATEWAY},
        "Clients by authentication": {"ok", "invalid"},
        "Calls that a backend failed, by tool and cause": {
            f"{TOOL}: backend_error",
            f"{TOOL}: client_error",
        },
        "Requests that wait for backends": {GATEWAY},
        "Calls that a limit refused": {"tool"},
        "Answers by cache": {"hit", "miss"},
        "Redis is available": {GATEWAY},
        "Sessions that begin": {"ok"},
        "Requests about tasks": {"tasks/get"},
        "Calls that wait for what clients are asked": ZERO,
        "Conditions: 1 where the status is True": {"Accepted", "Programmed", "Ready"},
        "Pods by the catalog that they serve": {"the digest"},
        "Pods that do not serve their newest catalog": ZERO,
        "Entries by kind": {"tool", "prompt", "resource", "template"},
        "Catalogs that could not be loaded": ZERO,
        "Age of the catalog": {GATEWAY},
        "Event loop lag, 99th percentile": {GATEWAY},
        "CPU": ZERO,
        "Memory": {GATEWAY},
    },
}
"""The minimum of lines above zero in each panel, by legend."""

UNITS = {
    "s": r"histogram_quantile\([\d.]+, .+_seconds_bucket|time\(\) - .+_timestamp_seconds",
    "bytes": r".*_bytes\{",
    "percentunit": r"sum by \(\w+\) \(rate\(process_cpu_seconds_total",
    "reqps": r"sum by \([^)]+\) \(rate\((mcp|rest_client)_\w+_total",
    "ops": r"sum by \([^)]+\) \(rate\(mcp_\w+_total",
    "short": r"\w+ by \([^)]+\) \((?!\w+_(seconds|bytes|total))\w+\{",
}
"""Patterns of the queries whose values have a unit, by Grafana's name of the unit."""

VARIABLES = {
    "mcp-operator": {"namespace": ".*"},
    "mcp-server": {"namespace": NAMESPACE, "server": "shop"},
}
"""The value of each variable, by dashboard. `.*` is the value of `All`."""


@dataclass(frozen=True)
class Panel:
    """A graph of a dashboard.

    Attributes:
        board: The name of the dashboard's file.
        title: Its title.
        query: PromQL, with the values of the dashboard's variables.
        legend: The names of its lines, with labels in braces.
        unit: The unit of its values, by Grafana's name.
    """

    board: str
    title: str
    query: str
    legend: str
    unit: str

    def line(self, sample: Sample) -> str:
        """Return the name that a series has in the legend."""
        return re.sub(r"{{(\w+)}}", lambda label: sample.labels[label[1]], self.legend)


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard.

    Attributes:
        board: The name of the dashboard's file.
        name: Its name.
        query: PromQL with a sample for each value that can be chosen.
        label: The label of the samples that has the value.
    """

    board: str
    name: str
    query: str
    label: str


@dataclass(frozen=True)
class Found:
    """The samples of each query.

    Attributes:
        in_use: While clients continue to call tools.
        quiet: When no client calls a tool, and nothing changes.
        pod: The name of the gateway's pod.
    """

    in_use: Mapping[str, list[Sample]]
    quiet: Mapping[str, list[Sample]]
    pod: str

    def line(self, panel: Panel, sample: Sample) -> str:
        """Return the legend of a series, without names that differ in each run."""
        line = panel.line(sample).replace(self.pod, GATEWAY)
        return "the digest" if re.fullmatch(r"sha256:\w+|[0-9a-f]{64}", line) else line


def substituted(board: str, query: str) -> str:
    """Return a query with the values of the variables, as Grafana sends it to Prometheus."""
    values = {"__rate_interval": "5m", **VARIABLES[board]}
    return re.sub(r"\$(\w+)", lambda name: values[name[1]], query)


def boards() -> dict[str, dict[str, Any]]:
    folder = MANIFESTS / "components" / "grafana"
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }


def panels() -> list[Panel]:
    return [
        Panel(
            board,
            panel["title"],
            substituted(board, target["expr"]),
            target["legendFormat"],
            panel["fieldConfig"]["defaults"]["unit"],
        )
        for board, content in boards().items()
        for panel in content["panels"]
        for target in panel.get("targets", ())
    ]


def variables() -> list[Variable]:
    found = []
    for board, content in boards().items():
        for variable in content["templating"]["list"]:
            if variable["type"] == "query":
                query = substituted(board, variable["query"])
                asked = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
                assert asked, query
                count = f"count by ({asked[2]}) ({asked[1]})"
                found.append(Variable(board, variable["name"], count, asked[2]))
    return found


PANELS = panels()

every_panel = pytest.mark.parametrize(
    "panel", PANELS, ids=lambda panel: f"{panel.board}: {panel.title}"
)

every_documented_query = pytest.mark.parametrize("page", documented())

QUERIES = (
    *(panel.query for panel in PANELS),
    *(variable.query for variable in variables()),
    *documented().values(),
)


@pytest.fixture(scope="module")
def found(control_plane: Cluster, crds_installed: None) -> Found:
    if not (isinstance(control_plane, ControlPlane) and control_plane.has_controllers):
        pytest.skip("it runs pods, which needs a control plane of the tests' own")
    try:
        command = promtool()
        before, during, pod = asyncio.run(scrapes(control_plane))
    except UnavailableError as error:
        pytest.skip(str(error))
    in_use, quiet = (
        evaluated(command, extended(begun, begun, during), QUERIES, MINUTE)
        for begun in (before, during)
    )
    return Found(in_use, quiet, pod)


async def scrapes(control_plane: ControlPlane) -> tuple[Scrape, Scrape, str]:
    """Return the scrapes before and after clients use a shop, and the name of its pod."""
    wanted = names(QUERIES)
    async with used_shop(control_plane) as shop:
        before = await shop.points(wanted)
        async with shop.used():
            during = await shop.points(wanted)
        return before, during, (await shop.pod())["metadata"]["name"]


def gaps(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples that a graph does not show."""
    return [sample for sample in samples if not math.isfinite(sample.value)]


def test_the_expected_lines_of_every_panel_are_listed() -> None:
    titles = {
        board: {panel.title for panel in PANELS if panel.board == board} for board in boards()
    }
    assert {board: set(shown) for board, shown in SHOWN.items()} == titles


@every_panel
def test_a_panel_shows_the_calls_of_clients_in_distinct_lines(panel: Panel, found: Found) -> None:
    samples = found.in_use[panel.query]
    assert samples
    lines = [found.line(panel, sample) for sample in samples]
    assert len(set(lines)) == len(lines)
    above = {line for line, sample in zip(lines, samples, strict=True) if sample.value > 0}
    assert above >= SHOWN[panel.board][panel.title]
    assert len(gaps(samples)) < len(samples)


@every_panel
def test_a_panel_has_lines_after_the_last_call(panel: Panel, found: Found) -> None:
    samples = found.quiet[panel.query]
    assert samples
    # A percentile without observations is NaN, and Grafana ends the line.
    assert "histogram_quantile" in panel.query or not gaps(samples)


@every_panel
def test_the_unit_of_a_panel_matches_its_query(panel: Panel) -> None:
    assert re.match(UNITS[panel.unit], panel.query), panel.query


@pytest.mark.parametrize("variable", variables(), ids=lambda one: f"{one.board}: {one.name}")
def test_a_dashboard_offers_the_namespace_and_the_server(variable: Variable, found: Found) -> None:
    offered = {sample.labels[variable.label] for sample in found.in_use[variable.query]}
    assert offered == {VARIABLES["mcp-server"][variable.name]}


@every_documented_query
def test_a_documented_query_has_a_value_above_zero_during_calls(page: str, found: Found) -> None:
    samples = found.in_use[documented()[page]]
    assert any(sample.value > 0 for sample in samples), samples


@every_documented_query
def test_only_documented_percentiles_are_nan_after_the_last_call(page: str, found: Found) -> None:
    query = documented()[page]
    assert query.startswith("histogram_quantile") or not gaps(found.quiet[query])


def test_a_condition_that_is_not_true_is_shown_at_zero(found: Found) -> None:
    (panel,) = (panel for panel in PANELS if panel.title.startswith("Conditions"))
    values = {panel.line(sample): sample.value for sample in found.in_use[panel.query]}
    types = {"Accepted", "ResolvedRefs", "Programmed", "Ready"}
    assert values == {"Degraded": 0, **dict.fromkeys(types, 1)}
