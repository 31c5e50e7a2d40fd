"""Metrics of tasks."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.gateway.metrics import GatewayMetrics
from mcp_operator.gateway.table import Current
from support.entries import tool
from support.fake_executor import text_result
from support.mcp_http import table
from support.serving_tasks import begin, report, serving, settled
from support.task_values import JOB, taking_tasks

pytestmark = pytest.mark.looptime


async def test_a_task_whose_tool_failed_is_counted_as_completed() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        server.executor.looks = [text_result("no", is_error=True)]
        await begin(server)
        await asyncio.sleep(6)
        assert server.observer.tasks == ["created", "completed"]


async def test_a_task_without_a_result_is_counted_as_failed() -> None:
    async with serving(report()) as server:
        server.executor.results["report"] = JOB
        await begin(server)
        server.current.swap(table(tool("other")))
        await asyncio.sleep(6)
        assert server.observer.tasks == ["created", "failed"]


async def test_a_task_that_is_cancelled_twice_is_counted_once() -> None:
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [JOB]
        task_id = await begin(server)
        for _ in range(2):
            await server.result(taking_tasks("tasks/cancel", {"taskId": task_id}))
        assert server.observer.tasks == ["created", "cancelled"]


async def test_tasks_are_counted_from_zero_and_timed() -> None:
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry, Current())
    for status in ("created", "completed", "failed", "cancelled"):
        assert registry.get_sample_value("mcp_tasks_total", {"status": status}) == 0
    metrics.task("created")
    metrics.task("completed", 90.0)

    completed = {"status": "completed"}
    assert registry.get_sample_value("mcp_tasks_total", {"status": "created"}) == 1
    assert registry.get_sample_value("mcp_tasks_total", completed) == 1
    assert registry.get_sample_value("mcp_task_duration_seconds_sum", completed) == 90
    assert (
        registry.get_sample_value("mcp_task_duration_seconds_count", {"status": "created"}) is None
    )


async def test_tasks_in_progress_are_counted() -> None:
    async with serving(report("Always")) as server:
        server.executor.gate.clear()
        await begin(server)
        await settled()
        assert server.endpoint.tasks_in_progress == 1
        server.executor.gate.set()
        await settled()
        assert server.endpoint.tasks_in_progress == 0
