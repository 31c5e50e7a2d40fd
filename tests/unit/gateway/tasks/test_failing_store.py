"""Unexpected errors of the task store."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.gateway.tasks.memory import MemoryStore
from mcp_operator.gateway.tasks.store import Claimed
from support.serving_tasks import DONE, begin, look, report, serving
from support.task_values import JOB

pytestmark = pytest.mark.looptime


async def test_an_unexpected_error_of_the_store_delays_tasks_and_loses_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claim, failures = MemoryStore.claim, iter([ValueError("no number")])

    async def failing_once(store: MemoryStore, room: int) -> Claimed:
        for failure in failures:
            raise failure
        return await claim(store, room)

    monkeypatch.setattr(MemoryStore, "claim", failing_once)
    async with serving(report()) as server:
        server.executor.results["report"], server.executor.looks = JOB, [DONE]
        task_id = await begin(server)
        await asyncio.sleep(30)
        assert (await look(server, task_id))["status"] == "completed"
    assert "Cannot claim tasks; retrying" in caplog.messages
