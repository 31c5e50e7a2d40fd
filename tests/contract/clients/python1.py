"""Runs one session with the official Python client 1.x, and says in JSON what it saw.

A line of all steps, then, after it has read a line, another of what it saw of a server that has
been replaced. It runs in an environment of its own, because both generations are called `mcp`:

    python python1.py URL 2025-11-25
"""
# Written for mcp 1.x, and the type checker's environment holds 2.x:
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys

from mcp import ClientSession, types
from mcp.client.streamable_http import streamablehttp_client

WATCHED = "test://watched-resource"
SUM = {"a": 1, "b": 2}


class Told:
    """What the client was told while its calls ran."""

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


async def used(client: ClientSession, told: Told) -> dict[str, object]:
    await client.set_logging_level("debug")
    total = await client.call_tool("add_numbers", SUM)
    regions = await client.call_tool("list_regions", {})
    wrong = await client.call_tool("add_numbers", {"a": "x"})
    await client.call_tool("test_tool_with_progress", progress_callback=told.note_progress)
    await client.call_tool("test_tool_with_logging")
    elicited = await client.call_tool("test_elicitation", {"message": "Who are you?"})
    prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "x", "arg2": "y"})
    resource = await client.read_resource("test://template/7/data")
    return {
        "tools": await names(client),
        "sum": total.structuredContent,
        "regions": regions.structuredContent,
        "wrong": wrong.isError,
        "progress": told.progress,
        "logged": told.logged,
        "asked": told.asked,
        "elicited": elicited.content[0].text,
        "prompt": prompt.messages[0].content.text,
        "resource": resource.contents[0].text,
    }


async def cancelled(client: ClientSession, told: Told) -> str:
    """Cancel a call, and return what the server then says of it.

    This generation gives up a call without telling the server, and does not say by which id the
    server knows it.
    """
    request_id = client._request_id
    call = asyncio.create_task(client.call_tool("test_wait", progress_callback=told.note_progress))
    await told.waiting.wait()
    params = types.CancelledNotificationParams(requestId=request_id)
    await client.send_notification(
        types.ClientNotification(types.CancelledNotification(params=params))
    )
    call.cancel()
    result = await client.call_tool("test_cancelled")
    return result.content[0].text


async def change_until(client: ClientSession, trigger: str, told: asyncio.Event) -> None:
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


async def run(client: ClientSession, told: Told) -> None:
    greeting = await client.initialize()
    saw = await used(client, told)
    saw["version"] = greeting.protocolVersion
    saw["cancelled"] = await cancelled(client, told)
    await client.subscribe_resource(WATCHED)
    await change_until(client, "test_trigger_resource_change", told.updated)
    saw["updated"] = WATCHED
    await change_until(client, "test_trigger_tool_change", told.changed)
    saw["newTools"] = await names(client)
    say(saw)

    await asyncio.to_thread(sys.stdin.readline)
    total = await client.call_tool("add_numbers", SUM)
    await change_until(client, "test_trigger_tool_change", told.changed)
    say({"sum": total.structuredContent, "newTools": await names(client)})


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main(url: str) -> None:
    told = Told()
    hooks = {"elicitation_callback": told.answer, "logging_callback": told.note_log}
    async with (
        streamablehttp_client(url) as (read, write, _),
        ClientSession(read, write, message_handler=told.message, **hooks) as client,
    ):
        await run(client, told)


asyncio.run(main(sys.argv[1]))
