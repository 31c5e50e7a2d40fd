"""The metrics that the operator and the gateways have, and those that queries ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser
from metrics_reference import gateway_families, operator_families

BY_PROMETHEUS = {"up"}
"""Made by Prometheus itself for each target."""

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
"""What follows a family's name in those of its samples, by the family's type."""


def exposed() -> dict[str, set[str]]:
    """Return the labels of every sample that a process of ours can expose, by its name."""
    families = (*operator_families(), *gateway_families())
    return {
        family.name + suffix: {*family.labels, *(["le"] if suffix == "_bucket" else [])}
        for family in families
        for suffix in SUFFIXES.get(family.kind, ("",))
    }


def asked(query: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric that a query of PromQL names, and the labels that it selects by.

    Raises:
        ValueError: It is not PromQL.
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
