"""A server whose calls become tasks, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp_operator.api.catalog import JsonObject, TaskPolicy, ToolEntry
from support.entries import tool
from support.fake_executor import text_result
from support.mcp_http import Server
from support.task_values import LoopClock, taking_tasks

DONE = text_result("done")


def report(mode: str = "Auto", **fields: Any) -> ToolEntry:
    policy = {"poll_seconds": 5, "max_age_seconds": 600} | fields.pop("task", {})
    return tool("report", task=TaskPolicy(mode=mode, **policy), **fields)


@asynccontextmanager
async def serving(*tools: ToolEntry, **settings: Any) -> AsyncIterator[Server]:
    """Serve tools; check at the end that no task is running."""
    server = Server(*tools, clock=LoopClock(), **settings)
    yield server
    server.endpoint.close_streams()
    await server.endpoint.close()
    assert server.endpoint.in_flight == 0
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left


async def call(server: Server, **arguments: Any) -> JsonObject:
    return await server.result(
        taking_tasks("tools/call", {"name": "report", "arguments": arguments})
    )


async def begin(server: Server, **arguments: Any) -> str:
    """Start a call that becomes a task, and return the id of the task."""
    result = await call(server, **arguments)
    assert result["resultType"] == "task"
    task_id: str = result["taskId"]
    return task_id


async def look(server: Server, task_id: str) -> JsonObject:
    return await server.result(taking_tasks("tasks/get", {"taskId": task_id}))


async def settled() -> None:
    """Run the event loop until it is idle."""
    await asyncio.sleep(0.001)
