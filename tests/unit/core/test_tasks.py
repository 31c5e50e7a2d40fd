from __future__ import annotations

import asyncio
import logging

import pytest

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.tasks import TaskDiedError, TaskSet, forever, root_error, until_cancelled


async def fail(error: Exception) -> None:
    raise error


async def test_an_eternal_task_that_returns_is_an_error() -> None:
    with pytest.raises(TaskDiedError, match=r"^watch ended, but must run until"):
        await forever("watch", asyncio.sleep(0))


async def test_an_eternal_task_that_fails_names_itself_and_the_cause() -> None:
    with pytest.raises(TaskDiedError, match=r"^watch failed: ValueError: wrong$") as caught:
        await forever("watch", fail(ValueError("wrong")))
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(TaskDiedError, match=r"^watch failed: Log in again\.$"):
        await forever("watch", fail(OperatorError("Log in again.")))
    with pytest.raises(TaskDiedError, match=r"^watch failed: TimeoutError$"):
        await forever("watch", fail(TimeoutError()))


async def test_an_eternal_task_may_be_cancelled() -> None:
    task = asyncio.create_task(forever("watch", until_cancelled()))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_root_of_nested_groups_is_their_first_leaf() -> None:
    leaf = ValueError("wrong")

    assert root_error(ExceptionGroup("outer", [ExceptionGroup("inner", [leaf])])) is leaf
    assert root_error(leaf) is leaf


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


async def test_closing_a_task_set_ends_its_tasks_in_silence(
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
