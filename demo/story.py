"""The part of the demo that an MCP client sees, with or without a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable

from mcp import Client
from mcp.client.subscriptions import Subscription
from mcp.types import TextContent, TextResourceContents, Tool

from environment import READY_TIMEOUT, Environment
from narrator import Narrator

EDITED = "search-products"
DELETED = "product-picture"
"""MCPTools of the samples, each with one tool of the same name."""

REPETITIONS = 10
"""The number of edits whose propagation is measured."""

Tools = dict[str, Tool]


class UnexpectedError(Exception):
    """The client saw something other than the samples promise."""


def expect(condition: bool, sentence: str) -> None:  # noqa: FBT001 - it reads like assert
    """Fail the demo if a condition is false.

    Raises:
        UnexpectedError: The condition is false; the text is the sentence.
    """
    if not condition:
        raise UnexpectedError(sentence)


async def show(environment: Environment, narrator: Narrator) -> None:
    """Connect, list, call, edit and delete."""
    async with contextlib.AsyncExitStack() as stack:
        async with narrator.scene(
            "An MCP client connects",
            f"The official Python SDK, knowing nothing but {environment.url}",
        ):
            client = await stack.enter_async_context(
                Client(environment.url, read_timeout_seconds=READY_TIMEOUT)
            )
            narrator.say(f"protocol {client.protocol_version}")
        await _list(client, narrator)
        await _use(client, narrator)
        changes = await stack.enter_async_context(client.listen(tools_list_changed=True))
        await _change(environment, client, changes, narrator)


async def _list(client: Client, narrator: Narrator) -> None:
    async with narrator.scene(
        "It lists", "Everything that carries the label which the server selects."
    ):
        tools = await tools_of(client)
        prompts = (await client.list_prompts()).prompts
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        narrator.say(f"tools      {', '.join(sorted(tools))}")
        narrator.say(f"prompts    {', '.join(prompt.name for prompt in prompts)}")
        narrator.say(f"resources  {', '.join(str(resource.uri) for resource in resources)}")
        narrator.say(f"templates  {', '.join(template.uri_template for template in templates)}")
        expect({EDITED, DELETED} <= tools.keys(), "tools of the samples are missing")
        expect(len(prompts) > 0, "the samples' prompts are missing")
        expect(len(resources) > 0, "the samples' resources are missing")
        expect(len(templates) > 0, "the samples' resource template is missing")


async def _use(client: Client, narrator: Narrator) -> None:
    async with narrator.scene(
        "It calls tools",
        "The gateway turns arguments into requests to a plain REST backend.",
        "It checks them against the tool's JSON Schema first, so that a model that guesses gets a "
        "message it can act on, and the backend is spared. The third call shows one.",
    ):
        found = await client.call_tool("search-products", {"text": "mug", "inStock": True})
        expect(not found.is_error, "search-products failed")
        narrator.answer('search-products {"text": "mug", "inStock": true}', _text(found.content[0]))
        order = await client.call_tool("place-order", {"sku": "teapot", "quantity": 2})
        expect(not order.is_error, "place-order failed")
        narrator.answer('place-order {"sku": "teapot", "quantity": 2}', _text(order.content[0]))
        refused = await client.call_tool("place-order", {"sku": "teapot", "quantity": 0})
        expect(bool(refused.is_error), "an order of nothing was accepted")
        narrator.answer('place-order {"sku": "teapot", "quantity": 0}', _text(refused.content[0]))
    async with narrator.scene(
        "It reads and prompts", "Content of the object, content of the backend, a filled template."
    ):
        for uri in ("shop://policies/returns", "shop://orders/1001"):
            (content, *_) = (await client.read_resource(uri)).contents
            expect(isinstance(content, TextResourceContents), f"{uri} is not text")
            narrator.answer(uri, _text(content))
        prompt = await client.get_prompt("describe-product", {"sku": "teapot", "tone": "playful"})
        narrator.answer("describe-product", _text(prompt.messages[0].content))


async def _change(
    environment: Environment, client: Client, changes: Subscription, narrator: Narrator
) -> None:
    """Edit and delete tools, and check that the client notices through its subscription."""

    async def noticed(act: Awaitable[None], holds: Callable[[Tools], bool]) -> float:
        """Return the seconds from the action until the notified client lists the effect."""
        started = time.monotonic()
        await act
        async with asyncio.timeout(READY_TIMEOUT):
            while True:
                await anext(aiter(changes))
                if holds(await tools_of(client)):
                    return time.monotonic() - started

    def described(text: str) -> Callable[[Tools], bool]:
        return lambda tools: tools[EDITED].description == text

    async with narrator.scene(
        f"The MCPTool {EDITED} is edited",
        "The client gets a notification, and lists the new description.",
        "The operator compiles a new catalog. The gateway loads it while it serves, and notifies "
        "its clients. Nothing restarts, and no connection is closed.",
    ):
        text = "Finds things to buy."
        narrator.show({"spec": {"description": text}})
        seconds = await noticed(environment.describe_tool(EDITED, text), described(text))
        narrator.say(f"edit to list_changed to new list: {seconds * 1000:.0f} ms")
    async with narrator.scene(
        f"The MCPTool {DELETED} is deleted",
        "It vanishes from the client's list; it cannot be called.",
    ):
        seconds = await noticed(
            environment.delete_tool(DELETED), lambda tools: DELETED not in tools
        )
        narrator.say(f"deletion to list_changed to a list without it: {seconds * 1000:.0f} ms")
        narrator.say(f"tools      {', '.join(sorted(await tools_of(client)))}")
    async with narrator.scene(
        f"{REPETITIONS} more edits are timed",
        "From the edit until the client has listed its effect.",
    ):
        times = []
        for number in range(REPETITIONS):
            text = f"Finds things to buy, edition {number}."
            times.append(await noticed(environment.describe_tool(EDITED, text), described(text)))
        narrator.say(
            f"median {statistics.median(times) * 1000:.0f} ms, "
            f"fastest {min(times) * 1000:.0f} ms, slowest {max(times) * 1000:.0f} ms"
        )


async def tools_of(client: Client) -> Tools:
    """Return the tools that the server lists, by name."""
    return {tool.name: tool for tool in (await client.list_tools()).tools}


def _text(content: object) -> str:
    if isinstance(content, TextContent | TextResourceContents):
        return content.text
    raise UnexpectedError(f"text was expected, not {type(content).__name__}")
