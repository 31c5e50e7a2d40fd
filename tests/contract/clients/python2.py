"""Runs one session with the official Python client 2.x, and prints what it saw as JSON.

It prints a line for all steps. After it has read a line, it prints another for the replaced server.

    python python2.py URL VERSION
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import mcp_types as types
from mcp.client.client import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientRequestContext
from mcp.client.subscriptions import ResourceUpdated, Subscription, ToolsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning
from pydantic import ConfigDict

WATCHED = "test://watched-resource"
SUM = {"a": 1, "b": 2}
TASKS = "io.modelcontextprotocol/tasks"


class TaskParams(types.RequestParams):
    task_id: str


class TaskRequest(types.Request[TaskParams, str]):
    """A request of the tasks extension, which the client does not support."""

    name_param = "taskId"


class Task(types.Result):
    """A task, as the result of a call or of `tasks/get`."""

    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = "task"
    task_id: str


class Tasks(ClientExtension):
    """Makes calls return their tasks unchanged."""

    identifier = TASKS

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Task, resolve=self._resolve)]

    async def _resolve(self, _: Task, __: ClaimContext) -> types.CallToolResult:
        raise AssertionError("calls return their tasks")


class Received:
    """The notifications and requests that the client received during its calls."""

    def __init__(self) -> None:
        self.progress: list[float] = []
        self.asked: list[str] = []
        self.logged: list[str] = []
        self.waiting, self.changed, self.updated = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def message(self, message: object) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.changed.set()
        elif isinstance(message, types.ResourceUpdatedNotification):
            self.updated.set()

    async def follow(self, subscription: Subscription) -> None:
        async for event in subscription:
            if isinstance(event, ToolsListChanged):
                self.changed.set()
            elif isinstance(event, ResourceUpdated):
                self.updated.set()

    async def note_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params.level)

    async def answer(self, context: ClientRequestContext, params: Any) -> types.ElicitResult:
        self.asked.append(params.message)
        content: Any = {"username": "monty", "email": "monty@example.com"}
        return types.ElicitResult(action="accept", content=content)

    async def note_progress(
        self, progress: float, total: float | None, message: str | None
    ) -> None:
        if message == "waiting":
            self.waiting.set()
        else:
            self.progress.append(progress)


async def names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


def text(result: types.CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


async def used(client: Client, received: Received) -> dict[str, Any]:
    total = await client.call_tool("add_numbers", SUM)
    regions = await client.call_tool("list_regions", {})
    wrong = await client.call_tool("add_numbers", {"a": "x"})
    await client.call_tool("test_tool_with_progress", progress_callback=received.note_progress)
    await client.call_tool("test_tool_with_logging")
    elicited = await client.call_tool("test_elicitation", {"message": "Who are you?"})
    prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "x", "arg2": "y"})
    resource = await client.read_resource("test://template/7/data")
    return {
        "version": client.protocol_version,
        "tools": await names(client),
        "sum": total.structured_content,
        "regions": regions.structured_content,
        "wrong": wrong.is_error,
        "progress": received.progress,
        "logged": received.logged,
        "asked": received.asked,
        "elicited": text(elicited),
        "prompt": prompt.messages[0].content.model_dump()["text"],
        "resource": resource.contents[0].model_dump()["text"],
    }


async def start_task(client: Client, seconds: str) -> str:
    """Start a task that takes some seconds, and return its id."""
    arguments = {"seconds": seconds, "label": "python"}
    result = await client.session.call_tool("slow_compute", arguments, allow_claimed=True)
    assert isinstance(result, Task)
    return result.task_id


async def ask(client: Client, method: str, task_id: str) -> Mapping[str, Any]:
    request = TaskRequest(method=method, params=TaskParams(task_id=task_id))
    answer = await client.session.send_request(request, Anything)
    return answer.model_dump()


class Anything(types.Result):
    """A result with any fields."""

    model_config = ConfigDict(extra="allow")


async def poll_until_ended(client: Client, task_id: str) -> Mapping[str, Any]:
    """Poll a task until it has ended, and return it."""
    while True:
        task = await ask(client, "tasks/get", task_id)
        if task["status"] in {"completed", "failed", "cancelled"}:
            return task
        await asyncio.sleep(0.1)


async def tasks(client: Client) -> dict[str, Any]:
    done = await poll_until_ended(client, await start_task(client, "0.1"))
    cancelled_task = await start_task(client, "600")
    await ask(client, "tasks/cancel", cancelled_task)
    return {
        "result": done["result"]["content"][0]["text"],
        "cancelled": (await poll_until_ended(client, cancelled_task))["status"],
    }


async def cancelled(client: Client, received: Received) -> str:
    """Cancel a call, and return what the server reports about it."""
    call = asyncio.create_task(
        client.call_tool("test_wait", progress_callback=received.note_progress)
    )
    await received.waiting.wait()
    call.cancel()
    return text(await client.call_tool("test_cancelled"))


async def change_until(client: Client, trigger: str, received: asyncio.Event) -> None:
    """Have the server change something until the client is notified.

    At the first change, the stream of notifications might not be open yet.
    """
    received.clear()
    while not received.is_set():
        await client.call_tool(trigger, {})
        try:
            await asyncio.wait_for(received.wait(), 0.25)
        except TimeoutError:
            continue


@asynccontextmanager
async def listening(client: Client, received: Received, version: str) -> AsyncIterator[None]:
    """Listen for changes; in sessions the client does so by itself, and reopens a lost stream."""
    if version != "2026-07-28":
        await client.subscribe_resource(WATCHED)
        yield
        return
    listen = client.listen(tools_list_changed=True, resource_subscriptions=[WATCHED])
    async with listen as subscription:
        following = asyncio.create_task(received.follow(subscription))
        yield
        following.cancel()


async def run(client: Client, received: Received, version: str) -> None:
    if version != "2026-07-28":
        await client.set_logging_level("debug")
    saw = await used(client, received)
    if version == "2026-07-28":
        saw["task"] = await tasks(client)
    saw["cancelled"] = await cancelled(client, received)
    async with listening(client, received, version):
        await change_until(client, "test_trigger_resource_change", received.updated)
        saw["updated"] = WATCHED
        await change_until(client, "test_trigger_tool_change", received.changed)
        saw["newTools"] = await names(client)
        say(saw)
        await asyncio.to_thread(sys.stdin.readline)

    total = await client.call_tool("add_numbers", SUM)
    async with listening(client, received, version):
        await change_until(client, "test_trigger_tool_change", received.changed)
        say({"sum": total.structured_content, "newTools": await names(client)})


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main(url: str, version: str) -> None:
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    received = Received()
    modern = version == "2026-07-28"
    async with Client(
        url,
        mode="2026-07-28" if modern else "legacy",
        extensions=[Tasks()] if modern else None,
        log_level="debug" if modern else None,
        logging_callback=received.note_log,
        elicitation_callback=received.answer,
        message_handler=received.message,
    ) as client:
        await run(client, received, version)


asyncio.run(main(*sys.argv[1:]))
