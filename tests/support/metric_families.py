"""The metrics that the operator and the gateways have, and those that queries ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import promql_parser
from prometheus_client import CollectorRegistry

from mcp_operator.controllers.condition_metrics import ConditionMetrics
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics, add_build_info, new_registry
from mcp_operator.gateway.lag import LagWatch
from mcp_operator.gateway.metrics import GatewayMetrics
from mcp_operator.gateway.redis.server import RedisOfServer
from mcp_operator.gateway.source import CatalogSource
from mcp_operator.gateway.table import Current
from mcp_operator.version import VERSION

BY_PROMETHEUS = {"up"}
"""Made by Prometheus itself for each target."""

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
"""What follows a family's name in those of its samples, by the family's type."""


def exposed() -> dict[str, set[str]]:
    """Return the labels of every sample that a process of ours can expose, by its name."""
    runtime = RuntimeMetrics(new_registry())
    add_build_info(runtime.registry, "mcp_operator", VERSION)
    runtime.registry.register(ConditionMetrics({}))
    gateway, current = new_registry(), Current()
    metrics = GatewayMetrics(gateway, current)
    metrics.watch(lambda: 0, lambda: 0, lambda: 0)
    metrics.watch_certificate(lambda: 0)
    LagWatch(gateway)
    CatalogSource(MagicMock(), MagicMock(), current, index=Key("n", "n"), registry=gateway)
    redis = RedisOfServer(current, MagicMock(), MagicMock(), gateway)
    redis._link = MagicMock(is_up=True)  # the metric is there while there is a Redis
    redis._expose()
    return {
        name + suffix: labels | ({"le"} if suffix == "_bucket" else set())
        for registry in (runtime.registry, gateway)
        for name, kind, labels in _families(registry)
        for suffix in SUFFIXES.get(kind, ("",))
    }


def _families(registry: CollectorRegistry) -> Iterator[tuple[str, str, set[str]]]:
    for family in registry.collect():
        collector = registry._names_to_collectors.get(family.name)
        labels = getattr(family, "_labelnames", ()) or getattr(collector, "_labelnames", ())
        yield family.name, family.type, set(labels)


def asked(query: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric that a query of PromQL names, and the labels that it selects by.

    Raises:
        ValueError: It is no PromQL.
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
