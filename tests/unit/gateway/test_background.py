from __future__ import annotations

import asyncio
import logging

import pytest

from mcp_operator.core.tasks import until_cancelled
from mcp_operator.gateway.background import TaskSet


async def fail(error: Exception) -> None:
    raise error


async def test_a_failed_background_task_is_logged_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = TaskSet()

    tasks.start("refresh", fail(ValueError("wrong")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.__dict__["task"] == "refresh"
    assert record.__dict__["error"] == "ValueError: wrong"
    assert len(tasks) == 0


async def test_closing_a_task_set_cancels_its_tasks_without_logging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = TaskSet()
    ended: list[str] = []

    async def work() -> None:
        try:
            await until_cancelled()
        finally:
            ended.append("refresh")

    tasks.start("refresh", work())
    tasks.start("quick", asyncio.sleep(0))
    await asyncio.sleep(0)

    await tasks.close()
    await tasks.close()

    assert ended == ["refresh"]
    assert len(tasks) == 0
    assert not caplog.records
