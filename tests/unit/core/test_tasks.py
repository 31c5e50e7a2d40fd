from __future__ import annotations

import asyncio

import pytest

from mcp_operator.core import tasks as module
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.tasks import (
    TaskDiedError,
    forever,
    in_steps,
    root_error,
    until_cancelled,
)


async def fail(error: Exception) -> None:
    raise error


async def test_a_forever_task_that_returns_raises_an_error() -> None:
    with pytest.raises(TaskDiedError, match=r"^watch ended, but must run until"):
        await forever("watch", asyncio.sleep(0))


async def test_the_error_of_a_failed_forever_task_names_the_task_and_the_cause() -> None:
    with pytest.raises(TaskDiedError, match=r"^watch failed: ValueError: wrong$") as caught:
        await forever("watch", fail(ValueError("wrong")))
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(TaskDiedError, match=r"^watch failed: Log in again\.$"):
        await forever("watch", fail(OperatorError("Log in again.")))
    with pytest.raises(TaskDiedError, match=r"^watch failed: TimeoutError$"):
        await forever("watch", fail(TimeoutError()))


async def test_a_forever_task_can_be_cancelled() -> None:
    task = asyncio.create_task(forever("watch", until_cancelled()))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_root_error_of_nested_groups_is_their_first_leaf() -> None:
    leaf = ValueError("wrong")

    assert root_error(ExceptionGroup("outer", [ExceptionGroup("inner", [leaf])])) is leaf
    assert root_error(leaf) is leaf


async def test_work_in_steps_lets_other_tasks_run_between_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[object] = []

    async def other() -> None:
        for number in range(3):
            order.append(number)
            await asyncio.sleep(0)

    monkeypatch.setattr(module, "STEP_SECONDS", -1.0)  # each item exceeds the time of a step
    async with asyncio.TaskGroup() as group:
        group.create_task(other())
        async for item in in_steps("abc"):
            order.append(item)  # noqa: PERF401 - while others run
    assert order == ["a", 0, "b", 1, "c", 2]
