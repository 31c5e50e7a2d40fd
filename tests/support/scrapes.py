"""Scrapes of `/metrics`, and the alerts that Prometheus would fire if a fault went on like this.

A fault is staged for seconds, and alerts wait for minutes. So what was scraped before the fault and
during it is extended in time: gauges keep the value that they have during the fault, counters grow
by the same amount each minute, and deleted series stay absent. promtool evaluates the rules of
`manifests/components/prometheus` on that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from support.promql import names
from support.promtool import rule_tests

RULES_FILE = Path(__file__).parents[2] / "manifests" / "components" / "prometheus" / "rules.yaml"

BEGIN = 10
"""The minute in which the fault begins."""

MINUTES = (BEGIN + 10, BEGIN + 20, BEGIN + 35, BEGIN + 80)
"""When the rules are evaluated. The longest `for` is an hour."""

_LAST = 100


@dataclass(frozen=True)
class Point:
    """The value of a series at one time."""

    value: float
    grows: bool


Scrape = Mapping[str, Point]
"""Points by series, in the notation of PromQL."""


@cache
def groups() -> list[dict[str, Any]]:
    """Return the rule groups of the product, which are shared and must not be changed."""
    document = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["spec"]["groups"]
    return found


def rules() -> list[dict[str, Any]]:
    """Return the alerts of the product."""
    return [rule for group in groups() for rule in group["rules"]]


@cache
def asked_metrics() -> frozenset[str]:
    """Return every name in the rules that could be that of a metric."""
    return names(rule["expr"] for rule in rules())


def scraped(
    text: str | None,
    now: float,
    *,
    wanted: Container[str] | None = None,
    honor_labels: bool = False,
    **target: str,
) -> dict[str, Point]:
    """Read a page of `/metrics` as Prometheus does, but only some metrics.

    Args:
        text: The page; None without a response.
        now: The Unix time of the scrape. Times are shifted, because promtool starts at 0.
        wanted: The names of the metrics; those that some alert asks for when left out.
        honor_labels: Whether a label of a sample replaces that of the target. Otherwise, the
            prefix `exported_` is added to the label of the sample.
        target: The labels that Prometheus adds for the target.
    """
    wanted = asked_metrics() if wanted is None else wanted
    points = {_series("up", target): Point(float(text is not None), grows=False)}
    for family in text_string_to_metric_families(text or ""):
        for sample in family.samples:
            if sample.name in wanted:
                value = sample.value
                if sample.name.endswith("_timestamp_seconds"):
                    value += 60 * BEGIN - now
                grows = family.type in {"counter", "histogram"}
                own = sample.labels
                if not honor_labels:
                    own = {f"exported_{key}" if key in target else key: own[key] for key in own}
                points[_series(sample.name, {**target, **own})] = Point(value, grows)
    return points


def extended(before: Scrape, begun: Scrape, during: Scrape) -> dict[str, str]:
    """Extend scrapes to series of several hours, in promtool's notation: one value a minute.

    Args:
        before: The scrape before the fault.
        begun: The scrape after the fault has started.
        during: A later scrape; counters grow by the difference each minute.
    """
    series = {}
    for name in before.keys() | during.keys():
        first, last = before.get(name), during.get(name)
        head = f"{_number(first.value)}x{BEGIN - 1}" if first else f"_x{BEGIN - 1}"
        if last is None:
            series[name] = f"{head} stale"
        elif last.grows:
            start = begun.get(name) or first or Point(0, grows=True)
            growth = max(0.0, last.value - start.value)
            series[name] = f"{head} {_number(start.value)}+{_number(growth)}x{_LAST}"
        else:
            series[name] = f"{head} {_number(last.value)}x{_LAST}"
    return series


def firing(
    promtool: Path, series: Mapping[str, str], minutes: Sequence[int] = MINUTES
) -> dict[int, set[str]]:
    """Return the alerts that fire at each minute, evaluated by promtool.

    Raises:
        RuntimeError: promtool cannot evaluate the rules; with its output.
    """
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": rule["alert"], "exp_alerts": []}
            for minute in minutes
            for rule in rules()
        ],
    }
    body = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    said, passed = rule_tests(promtool, body, rules={"groups": groups()})
    # promtool reports each firing alert as a failure, because none is expected.
    found = re.findall(r"alertname: (\w+), time: (\w+)", said)
    if bool(found) == passed:
        raise RuntimeError(f"promtool test rules: {said}")
    times = {_duration(minute): minute for minute in minutes}
    fired: dict[int, set[str]] = {minute: set() for minute in minutes}
    for alert, time in found:
        fired[times[time]].add(alert)
    return fired


def alerts(promtool: Path, before: Scrape, begun: Scrape, during: Scrape) -> set[str]:
    """Return the alerts that fire at any of `MINUTES` for scrapes; see `extended`.

    Raises:
        RuntimeError: promtool cannot evaluate the rules; with its output.
    """
    return set[str]().union(*firing(promtool, extended(before, begun, during)).values())


def _duration(minutes: int) -> str:
    """Return minutes as a duration of Prometheus."""
    hours, rest = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{rest}m" if rest else "")


def _series(name: str, labels: Mapping[str, str]) -> str:
    inside = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
