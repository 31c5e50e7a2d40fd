from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mcp_operator.app.inspection.top.figures import (
    Counts,
    PodReading,
    counts_of,
    quantile,
    tool_figures,
)
from mcp_operator.gateway.metrics import GatewayMetrics
from mcp_operator.gateway.table import Current
from support.entries import tool
from support.mcp_http import table


def reading(at: float, **tools: Counts) -> PodReading:
    return PodReading(at, tools)


def counts(calls: float, errors: float = 0, **buckets: float) -> Counts:
    """Return counts, with buckets given as `le1=3`."""
    return Counts(calls, errors, {float(le[2:]): count for le, count in buckets.items()})


def test_the_counts_of_a_gateway_are_read_from_its_metrics() -> None:
    registry, current = CollectorRegistry(), Current()
    metrics = GatewayMetrics(registry, current)
    current.swap(table(tool("search"), tool("cancel")))
    for outcome in ("ok", "backend_error", "invalid_arguments", "timeout"):
        metrics.tool("search", outcome, 0.2)

    found = counts_of(generate_latest(registry).decode())
    assert (found["search"].calls, found["search"].errors) == (4, 2)
    assert found["search"].buckets[0.25] == found["search"].buckets[math.inf] == 4
    assert found["search"].buckets[0.1] == 0


def test_rates_are_per_second_and_summed_over_all_pods() -> None:
    before = {"a": reading(10, search=counts(5)), "b": reading(10, search=counts(100, 10))}
    after = {"a": reading(12, search=counts(9)), "b": reading(14, search=counts(108, 14))}

    figures, tools = tool_figures(before, after) or pytest.fail("there are no figures")
    assert (figures.calls, figures.errors) == (2 + 2, 1)
    assert tools["search"].calls == 4


def test_a_pod_that_has_restarted_counts_from_zero() -> None:
    figures, _ = tool_figures(
        {"a": reading(0, search=counts(100))}, {"a": reading(2, search=counts(6))}
    ) or pytest.fail("there are no figures")
    assert figures.calls == 3


def test_a_new_or_deleted_pod_is_not_counted() -> None:
    before = {"a": reading(0, search=counts(4)), "gone": reading(0, search=counts(9))}
    after = {"a": reading(2, search=counts(6)), "new": reading(2, search=counts(9))}

    figures, _ = tool_figures(before, after) or pytest.fail("there are no figures")
    assert figures.calls == 1


def test_without_a_pod_in_both_readings_there_are_no_figures() -> None:
    assert tool_figures({}, {"new": reading(2, search=counts(9))}) is None
    same = {"a": reading(2, search=counts(9))}
    assert tool_figures(same, same) is None


def test_a_tool_that_was_not_called_has_no_figures() -> None:
    before = {"a": reading(0, idle=counts(4), search=counts(1))}
    after = {"a": reading(2, idle=counts(4), search=counts(2), new=counts(1))}

    _, tools = tool_figures(before, after) or pytest.fail("there are no figures")
    assert sorted(tools) == ["new", "search"]


def test_latencies_are_computed_from_the_calls_between_two_readings() -> None:
    before = {"a": reading(0, search=counts(100, le1=100, le2=100, leinf=100))}
    after = {"a": reading(2, search=counts(110, le1=100, le2=110, leinf=110))}

    figures, _ = tool_figures(before, after) or pytest.fail("there are no figures")
    assert figures.p50 == 1.5


@pytest.mark.parametrize(
    ("part", "buckets", "expected"),
    [
        (0.5, {}, None),
        (0.5, {1.0: 0, math.inf: 0}, None),
        (0.5, {1.0: 10, math.inf: 10}, 0.5),
        (0.95, {1.0: 5, 2.0: 10, math.inf: 10}, 1.9),
        (0.5, {1.0: 0, 2.0: 0, 4.0: 4, math.inf: 4}, 3.0),
        (0.95, {1.0: 1, math.inf: 10}, 1.0),
    ],
)
def test_quantiles_match_histogram_quantile(
    part: float, buckets: dict[float, float], expected: float | None
) -> None:
    assert quantile(part, buckets) == (None if expected is None else pytest.approx(expected))


def test_a_page_that_is_not_in_the_metrics_format_raises_an_error() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is of the parser
        counts_of('mcp_tool_calls_total{tool="search" nonsense\n')


def test_a_page_without_tool_metrics_has_no_tools() -> None:
    assert counts_of("<html></html>") == {}
