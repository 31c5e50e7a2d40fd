"""The official Python client, current generation, in both modes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.subscriptions import ResourceUpdated, ToolsListChanged
from mcp.shared.exceptions import MCPError

from support.entries import resource, tool
from support.everything import PROMPTS, RESOURCES, TOOLS, Everything, serving_everything
from support.mcp_http import table
from support.waiting import hang_guard

Mode = Literal["2026-07-28", "legacy", "auto"]
MODES: tuple[Mode, ...] = ("2026-07-28", "legacy")
NAMES = sorted(entry.name for entry in TOOLS)
both_modes = pytest.mark.parametrize("mode", MODES)


@asynccontextmanager
async def connected(mode: Mode) -> AsyncIterator[tuple[Everything, Client]]:
    async with serving_everything() as served, Client(served.url, mode=mode) as client:
        yield served, client


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_a_client_learns_the_version_name_and_instructions_of_the_server(
    mode: Mode, version: str
) -> None:
    async with connected(mode) as (_, client):
        assert client.protocol_version == version
        assert client.server_info is not None
        assert client.server_info.name == "shop"
        assert client.instructions == "A server for tests."
        assert client.server_capabilities.completions is not None


@both_modes
async def test_every_path_of_a_server_serves_the_same_tools(mode: Mode) -> None:
    async with serving_everything() as served:
        served.current.swap(table(tool("search"), paths=("/mcp", "/shop/v1")))
        for url in (served.url, served.url.removesuffix("/mcp") + "/shop/v1"):
            async with Client(url, mode=mode) as client:
                assert [entry.name for entry in (await client.list_tools()).tools] == ["search"]


@both_modes
async def test_tools_prompts_resources_and_templates_are_listed(mode: Mode) -> None:
    async with connected(mode) as (_, client):
        tools = (await client.list_tools()).tools
        prompts = (await client.list_prompts()).prompts
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates

    assert [entry.name for entry in tools] == NAMES
    assert sorted(entry.name for entry in prompts) == sorted(entry.name for entry in PROMPTS)
    listed = [entry.name for entry in (*resources, *templates)]
    assert sorted(listed) == sorted(entry.name for entry in RESOURCES)


@both_modes
async def test_tools_are_called(mode: Mode) -> None:
    async with connected(mode) as (_, client):
        total = await client.call_tool("add_numbers", {"a": 1, "b": 2})
        regions = await client.call_tool("list_regions")
        image = await client.call_tool("test_image_content")
        audio = await client.call_tool("test_audio_content")
        failed = await client.call_tool("test_error_handling")
        wrong = await client.call_tool("add_numbers", {"a": "x"})
        found = await client.call_tool("search_region", {"region": "zürich", "query": "q"})

    assert total.structured_content == {"sum": 3.0}
    array = ["eu", "us"]
    assert regions.structured_content == (array if mode != "legacy" else {"result": array})
    assert [image.content[0].type, audio.content[0].type] == ["image", "audio"]
    assert (failed.is_error, wrong.is_error) == (True, True)
    assert isinstance(wrong.content[0], types.TextContent)
    assert '"b" is a required property' in wrong.content[0].text
    assert found.structured_content == {"region": "zürich", "query": "q"}


@both_modes
async def test_an_unknown_tool_is_an_error(mode: Mode) -> None:
    async with connected(mode) as (_, client):
        with pytest.raises(MCPError, match="Unknown tool: missing") as caught:
            await client.call_tool("missing")

    assert caught.value.code == -32602


@both_modes
async def test_prompts_and_resources_are_read(mode: Mode) -> None:
    async with connected(mode) as (_, client):
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "x", "arg2": "y"})
        text = await client.read_resource("test://static-text")
        data = await client.read_resource("test://template/7/data")
        with pytest.raises(MCPError, match="Resource not found") as caught:
            await client.read_resource("test://missing")

    assert isinstance(prompt.messages[0].content, types.TextContent)
    assert prompt.messages[0].content.text == "Prompt with arguments: arg1='x', arg2='y'"
    assert isinstance(text.contents[0], types.TextResourceContents)
    assert text.contents[0].text == "This is the text."
    assert isinstance(data.contents[0], types.TextResourceContents)
    assert json.loads(data.contents[0].text)["id"] == "7"
    assert caught.value.code == (-32602 if mode != "legacy" else -32002)


@both_modes
async def test_arguments_are_completed(mode: Mode) -> None:
    async with connected(mode) as (_, client):
        answer = await client.complete(
            types.PromptReference(type="ref/prompt", name="trip"), {"name": "city", "value": "pa"}
        )

    assert answer.completion.values == ["Paris", "Park City"]


@both_modes
async def test_a_long_list_is_paged(mode: Mode) -> None:
    async with connected(mode) as (served, client):
        served.current.swap(table(*TOOLS, page_size=2))
        names: list[str] = []
        cursor = None
        while True:
            page = await client.list_tools(cursor=cursor)
            names += [entry.name for entry in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break

    assert names == NAMES


@both_modes
async def test_a_deleted_tool_is_removed_from_the_list_at_once(mode: Mode) -> None:
    async with connected(mode) as (served, client):
        await client.list_tools()

        served.current.swap(table(*TOOLS[1:]))

        names = [entry.name for entry in (await client.list_tools()).tools]
        assert names == sorted(entry.name for entry in TOOLS[1:])


async def test_a_modern_client_is_notified_of_changes() -> None:
    edited = resource("static-text", uri="test://static-text", text="Another text.")
    async with (
        connected("2026-07-28") as (served, client),
        client.listen(
            tools_list_changed=True, resource_subscriptions=["test://static-text"]
        ) as subscription,
        hang_guard(),
    ):
        assert subscription.honored.tools_list_changed is True

        served.current.swap(table(tool("newcomer"), *PROMPTS, edited, *RESOURCES[1:]))

        assert isinstance(await anext(subscription), ToolsListChanged)
        updated = await anext(subscription)
        assert isinstance(updated, ResourceUpdated)
        assert updated.uri == "test://static-text"
        assert [entry.name for entry in (await client.list_tools()).tools] == ["newcomer"]


async def test_the_stream_of_a_modern_client_ends_without_error_when_the_server_stops() -> None:
    async with (
        connected("2026-07-28") as (served, client),
        client.listen(tools_list_changed=True) as subscription,
    ):
        stopping = asyncio.ensure_future(served.app.stop())

        assert [event async for event in subscription] == []
        await stopping


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_a_legacy_client_is_notified_of_changes() -> None:
    messages: asyncio.Queue[object] = asyncio.Queue()

    async with serving_everything() as served:

        async def keep(message: object) -> None:
            await messages.put(message)
            opened.set()

        opened = asyncio.Event()
        async with (
            Client(served.url, mode="legacy", message_handler=keep) as client,
            hang_guard(),
        ):
            await client.send_ping()
            await client.set_logging_level("warning")
            await client.subscribe_resource("test://static-text")
            number = 0
            while not opened.is_set():  # the client opens its stream some time later
                number += 1
                served.current.swap(table(tool(f"newcomer-{number}"), *RESOURCES))
                await client.send_ping()
            assert isinstance(await messages.get(), types.ToolListChangedNotification)
            listed = [entry.name for entry in (await client.list_tools()).tools]
            assert listed == [f"newcomer-{number}"]
            await client.unsubscribe_resource("test://static-text")
