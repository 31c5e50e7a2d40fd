"""The metrics of the operator and the gateways, and those in queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser
from metrics_reference import gateway_families, operator_families

BY_PROMETHEUS = {"up"}
"""Metrics that Prometheus itself adds for each target."""

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
"""The suffixes of sample names, by the type of the family."""


def exposed() -> dict[str, set[str]]:
    """Return the labels of every sample that the operator or a gateway can expose, by name."""
    families = (*operator_families(), *gateway_families())
    return {
        family.name + suffix: {*family.labels, *(["le"] if suffix == "_bucket" else [])}
        for family in families
        for suffix in SUFFIXES.get(family.kind, ("",))
    }


def asked(query: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric in a PromQL query, and the labels by which the query selects.

    Raises:
        ValueError: The query is not valid PromQL.
    """
    yield from _selectors(promql_parser.parse(query))


def _selectors(node: Any) -> Iterator[tuple[str, set[str]]]:
    if isinstance(node, promql_parser.VectorSelector):
        yield str(node.name), {matcher.name for matcher in node.matchers.matchers}
    elif isinstance(node, promql_parser.MatrixSelector):
        yield from _selectors(node.vector_selector)
    else:
        inside = [getattr(node, name, None) for name in ("expr", "lhs", "rhs")]
        for child in (*inside, *getattr(node, "args", ())):
            if child is not None:
                yield from _selectors(child)
