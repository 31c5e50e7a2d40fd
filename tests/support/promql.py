"""The queries of the documentation, and the results of queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.promtool import rule_tests

ROOT = Path(__file__).parents[2]

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_LABEL = r'\w+="(?:[^"\\]|\\.)*"'
_SAMPLE = re.compile(rf"\{{((?:{_LABEL}(?:, )?)*)\}} (\S+?)(?:, |$)")
_FOUND = re.compile(
    r'^ *expr: ("(?:[^"\\]|\\.)*"), time: [^\n]*\n *exp:[^\n]*\n *got: ?(.*)$', re.MULTILINE
)


@dataclass(frozen=True)
class Sample:
    """One series in the result of a query.

    Attributes:
        labels: Its labels; a scalar has none.
        value: Its value at the time of the query; NaN where Grafana shows a gap.
    """

    labels: Mapping[str, str]
    value: float


def documented() -> dict[str, str]:
    """Return the queries that the documentation shows, by page and number."""
    blocks = re.compile(r"^```promql\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return {
        f"{page.relative_to(ROOT)} {number}": query.strip()
        for page in PAGES
        for number, query in enumerate(blocks.findall(page.read_text(encoding="utf-8")))
    }


def names(queries: Iterable[str]) -> frozenset[str]:
    """Return every name in queries that could be a metric's."""
    return frozenset(name for query in queries for name in re.findall(r"[a-z_]+", query))


def evaluated(
    promtool: Path, series: Mapping[str, str], queries: Iterable[str], minute: int
) -> dict[str, list[Sample]]:
    """Return the samples of each query, as promtool evaluates it.

    Args:
        promtool: The command.
        series: Values of each series in promtool's notation, one a minute.
        queries: PromQL.
        minute: When the queries are evaluated.

    Raises:
        RuntimeError: promtool cannot evaluate a query. The message has its output.
    """
    asked = list(dict.fromkeys(queries))
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": query, "eval_time": f"{minute}m", "exp_samples": []} for query in asked
        ],
    }
    said, passed = rule_tests(promtool, {"tests": [test]})
    # The test expects no samples, so promtool reports the samples of each query as a failure.
    found = {json.loads(query): _samples(text) for query, text in _FOUND.findall(said)}
    if bool(found) == passed or said.count("expr: ") != len(found):
        raise RuntimeError(f"promtool test rules: {said}")
    return {query: found.get(query, []) for query in asked}


def _samples(text: str) -> list[Sample]:
    samples = []
    for labels, value in _SAMPLE.findall(text):
        pairs = (pair.split("=", 1) for pair in re.findall(_LABEL, labels))
        samples.append(Sample({name: json.loads(text) for name, text in pairs}, float(value)))
    return samples
