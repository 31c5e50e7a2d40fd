"""Conditions as metrics: one series for each in the caches, up to a limit."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from mcp_operator.controllers.condition_metrics import ConditionMetrics
from mcp_operator.core.meta import Key
from mcp_operator.runtime.store import Store


def stored(*objects: dict[str, Any]) -> Store:
    store = Store()
    for each in objects:
        store.put(each)
    return store


def with_conditions(name: str, **statuses: str) -> dict[str, Any]:
    conditions = [{"type": type_, "status": status} for type_, status in statuses.items()]
    return {
        "metadata": {"namespace": "demo", "name": name, "resourceVersion": "1"},
        "status": {"conditions": conditions},
    }


def shown(metrics: ConditionMetrics) -> list[str]:
    registry = CollectorRegistry()
    registry.register(metrics)
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def series(kind: str, name: str, type_: str, status: str) -> str:
    labels = f'kind="{kind}",name="{name}",namespace="demo",status="{status}",type="{type_}"'
    return f"mcp_operator_resource_condition{{{labels}}} 1.0"


def test_each_condition_is_a_series_that_names_its_object() -> None:
    servers = stored(with_conditions("shop", Ready="False", Degraded="Unknown"))
    tools = stored(with_conditions("search", Ready="True"))
    assert shown(ConditionMetrics({"MCPServer": servers, "MCPTool": tools})) == [
        series("MCPServer", "shop", "Ready", "False"),
        series("MCPServer", "shop", "Degraded", "Unknown"),
        series("MCPTool", "search", "Ready", "True"),
        "mcp_operator_resource_conditions_omitted 0.0",
    ]


def test_a_deleted_object_has_no_series() -> None:
    servers = stored(with_conditions("shop", Ready="True"))
    metrics = ConditionMetrics({"MCPServer": servers})
    servers.remove(Key("demo", "shop"))
    assert shown(metrics) == ["mcp_operator_resource_conditions_omitted 0.0"]


def test_an_object_without_a_status_has_no_series() -> None:
    new = {"metadata": {"namespace": "demo", "name": "new", "resourceVersion": "1"}}
    metrics = ConditionMetrics({"MCPServer": stored(new, {**new, "status": {}})})
    assert shown(metrics) == ["mcp_operator_resource_conditions_omitted 0.0"]


def test_series_over_the_limit_are_counted_as_omitted() -> None:
    tools = stored(*(with_conditions(f"tool-{number}", Ready="True") for number in range(5)))
    lines = shown(ConditionMetrics({"MCPTool": tools}, limit=2))
    assert len(lines) == 3
    assert lines[-1] == "mcp_operator_resource_conditions_omitted 3.0"
