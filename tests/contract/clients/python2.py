"""Runs one session with the official Python client 2.x, and says in JSON what it saw.

A line of all steps, then, after it has read a line, another of what it saw of a server that has
been replaced.

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
    """A request of the extension, which the client knows no methods of."""

    name_param = "taskId"


class Task(types.Result):
    """A task, as a call's result or on request."""

    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = "task"
    task_id: str


class Tasks(ClientExtension):
    """Has calls return their tasks as they are."""

    identifier = TASKS

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Task, resolve=self._resolve)]

    async def _resolve(self, _: Task, __: ClaimContext) -> types.CallToolResult:
        raise AssertionError("calls return their tasks")


class Told:
    """What the client was told while its calls ran."""

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


async def used(client: Client, told: Told) -> dict[str, Any]:
    total = await client.call_tool("add_numbers", SUM)
    regions = await client.call_tool("list_regions", {})
    wrong = await client.call_tool("add_numbers", {"a": "x"})
    await client.call_tool("test_tool_with_progress", progress_callback=told.note_progress)
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
        "progress": told.progress,
        "logged": told.logged,
        "asked": told.asked,
        "elicited": text(elicited),
        "prompt": prompt.messages[0].content.model_dump()["text"],
        "resource": resource.contents[0].model_dump()["text"],
    }


async def begun(client: Client, seconds: str) -> str:
    """Begin a task that takes some seconds, and return its id."""
    arguments = {"seconds": seconds, "label": "python"}
    result = await client.session.call_tool("slow_compute", arguments, allow_claimed=True)
    assert isinstance(result, Task)
    return result.task_id


async def ask(client: Client, method: str, task_id: str) -> Mapping[str, Any]:
    request = TaskRequest(method=method, params=TaskParams(task_id=task_id))
    answer = await client.session.send_request(request, Anything)
    return answer.model_dump()


class Anything(types.Result):
    """A result of which nothing is known."""

    model_config = ConfigDict(extra="allow")


async def ended(client: Client, task_id: str) -> Mapping[str, Any]:
    """Ask for a task until it has ended, and return it."""
    while True:
        task = await ask(client, "tasks/get", task_id)
        if task["status"] in {"completed", "failed", "cancelled"}:
            return task
        await asyncio.sleep(0.1)


async def tasks(client: Client) -> dict[str, Any]:
    done = await ended(client, await begun(client, "0.1"))
    given_up = await begun(client, "600")
    await ask(client, "tasks/cancel", given_up)
    return {
        "result": done["result"]["content"][0]["text"],
        "cancelled": (await ended(client, given_up))["status"],
    }


async def cancelled(client: Client, told: Told) -> str:
    """Cancel a call, and return what the server then says of it."""
    call = asyncio.create_task(client.call_tool("test_wait", progress_callback=told.note_progress))
    await told.waiting.wait()
    call.cancel()
    return text(await client.call_tool("test_cancelled"))


async def change_until(client: Client, trigger: str, told: asyncio.Event) -> None:
    """Have the server change something until the client is told so.

    The stream that tells it may not be open yet at the first change.
    """
    told.clear()
    while not told.is_set():
        await client.call_tool(trigger, {})
        try:
            await asyncio.wait_for(told.wait(), 0.25)
        except TimeoutError:
            continue


@asynccontextmanager
async def listening(client: Client, told: Told, version: str) -> AsyncIterator[None]:
    """Listen: in sessions the client does so by itself, and opens a lost stream again."""
    if version != "2026-07-28":
        await client.subscribe_resource(WATCHED)
        yield
        return
    listen = client.listen(tools_list_changed=True, resource_subscriptions=[WATCHED])
    async with listen as subscription:
        following = asyncio.create_task(told.follow(subscription))
        yield
        following.cancel()


async def run(client: Client, told: Told, version: str) -> None:
    if version != "2026-07-28":
        await client.set_logging_level("debug")
    saw = await used(client, told)
    if version == "2026-07-28":
        saw["task"] = await tasks(client)
    saw["cancelled"] = await cancelled(client, told)
    async with listening(client, told, version):
        await change_until(client, "test_trigger_resource_change", told.updated)
        saw["updated"] = WATCHED
        await change_until(client, "test_trigger_tool_change", told.changed)
        saw["newTools"] = await names(client)
        say(saw)
        await asyncio.to_thread(sys.stdin.readline)

    total = await client.call_tool("add_numbers", SUM)
    async with listening(client, told, version):
        await change_until(client, "test_trigger_tool_change", told.changed)
        say({"sum": total.structured_content, "newTools": await names(client)})


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main(url: str, version: str) -> None:
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    told = Told()
    modern = version == "2026-07-28"
    async with Client(
        url,
        mode="2026-07-28" if modern else "legacy",
        extensions=[Tasks()] if modern else None,
        log_level="debug" if modern else None,
        logging_callback=told.note_log,
        elicitation_callback=told.answer,
        message_handler=told.message,
    ) as client:
        await run(client, told, version)


asyncio.run(main(*sys.argv[1:]))
