"""Runs one session with the official Python client 1.x, and prints what it saw as JSON.

It prints a line for all steps. After it has read a line, it prints another for the replaced server.
It runs in an environment of its own, because both generations are called `mcp`:

    python python1.py URL 2025-11-25
"""
# This needs mcp 1.x, but the environment of the type checker has 2.x:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from mcp import ClientSession, types
from mcp.client.streamable_http import streamablehttp_client

WATCHED = "test://watched-resource"
SUM = {"a": 1, "b": 2}


class Received:
    """The notifications and requests that the client received during its calls."""

    def __init__(self) -> None:
        self.progress, self.asked = [], []
        self.logged = []
        self.waiting = asyncio.Event()
        self.changed = asyncio.Event()
        self.updated = asyncio.Event()

    async def message(self, message: object) -> None:
        if isinstance(message, types.ServerNotification):
            if isinstance(message.root, types.ToolListChangedNotification):
                self.changed.set()
            elif isinstance(message.root, types.ResourceUpdatedNotification):
                self.updated.set()

    async def note_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params.level)

    async def answer(self, _: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked.append(params.message)
        content = {"username": "monty", "email": "monty@example.com"}
        return types.ElicitResult(action="accept", content=content)

    async def note_progress(
        self, progress: float, total: float | None, message: str | None
    ) -> None:
        if message == "waiting":
            self.waiting.set()
        else:
            self.progress.append(progress)


async def names(client: ClientSession) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


async def used(client: ClientSession, received: Received) -> dict[str, object]:
    await client.set_logging_level("debug")
    total = await client.call_tool("add_numbers", SUM)
    regions = await client.call_tool("list_regions", {})
    wrong = await client.call_tool("add_numbers", {"a": "x"})
    await client.call_tool("test_tool_with_progress", progress_callback=received.note_progress)
    await client.call_tool("test_tool_with_logging")
    elicited = await client.call_tool("test_elicitation", {"message": "Who are you?"})
    prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "x", "arg2": "y"})
    resource = await client.read_resource("test://template/7/data")
    return {
        "tools": await names(client),
        "sum": total.structuredContent,
        "regions": regions.structuredContent,
        "wrong": wrong.isError,
        "progress": received.progress,
        "logged": received.logged,
        "asked": received.asked,
        "elicited": elicited.content[0].text,
        "prompt": prompt.messages[0].content.text,
        "resource": resource.contents[0].text,
    }


async def cancelled(client: ClientSession, received: Received) -> str:
    """Cancel a call, and return what the server reports about it.

    This generation abandons a call without notifying the server, and does not expose the id of the
    request.
    """
    request_id = client._request_id
    call = asyncio.create_task(
        client.call_tool("test_wait", progress_callback=received.note_progress)
    )
    await received.waiting.wait()
    params = types.CancelledNotificationParams(requestId=request_id)
    await client.send_notification(
        types.ClientNotification(types.CancelledNotification(params=params))
    )
    call.cancel()
    result = await client.call_tool("test_cancelled")
    return result.content[0].text


async def change_until(client: ClientSession, trigger: str, received: asyncio.Event) -> None:
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


async def run(client: ClientSession, received: Received) -> None:
    greeting = await client.initialize()
    saw = await used(client, received)
    saw["version"] = greeting.protocolVersion
    saw["cancelled"] = await cancelled(client, received)
    await client.subscribe_resource(WATCHED)
    await change_until(client, "test_trigger_resource_change", received.updated)
    saw["updated"] = WATCHED
    await change_until(client, "test_trigger_tool_change", received.changed)
    saw["newTools"] = await names(client)
    say(saw)

    await asyncio.to_thread(sys.stdin.readline)
    total = await client.call_tool("add_numbers", SUM)
    await change_until(client, "test_trigger_tool_change", received.changed)
    say({"sum": total.structuredContent, "newTools": await names(client)})


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main(url: str) -> None:
    received = Received()
    hooks = {"elicitation_callback": received.answer, "logging_callback": received.note_log}
    async with (
        streamablehttp_client(url) as (read, write, _),
        ClientSession(read, write, message_handler=received.message, **hooks) as client,
    ):
        await run(client, received)


asyncio.run(main(sys.argv[1]))
