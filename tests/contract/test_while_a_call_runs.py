"""Notifications and requests that the official Python client receives during a call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.session import ClientRequestContext

from support.everything import serving_everything
from support.example_backend import serving_example

Mode = Literal["2026-07-28", "legacy"]
both_modes = pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")


class Received:
    """Records the notifications that a client receives."""

    def __init__(self) -> None:
        self.progress: list[tuple[float, float | None, str | None]] = []
        self.logged: list[Any] = []

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append((progress, total, message))

    async def on_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params.data)


@asynccontextmanager
async def listening(url: str, mode: Mode, received: Received) -> AsyncIterator[Client]:
    level: Any = "info" if mode != "legacy" else None
    async with Client(url, mode=mode, logging_callback=received.on_log, log_level=level) as client:
        if mode == "legacy":
            await client.set_logging_level("info")
        yield client


@both_modes
async def test_a_client_receives_progress_and_log_messages(mode: Mode) -> None:
    received = Received()
    async with serving_everything() as served, listening(served.url, mode, received) as client:
        moved = await client.call_tool(
            "test_tool_with_progress", progress_callback=received.on_progress
        )
        logged = await client.call_tool("test_tool_with_logging")

    assert [block.text for block in moved.content + logged.content] == ["It is done."] * 2  # type: ignore[union-attr]
    assert received.progress == [(0, 100, None), (50, 100, None), (100, 100, None)]
    assert received.logged == [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ]


@both_modes
async def test_a_client_reads_a_result_of_several_blocks(mode: Mode) -> None:
    async with serving_everything() as served, Client(served.url, mode=mode) as client:
        result = await client.call_tool("test_multiple_content_types")

    assert [block.type for block in result.content] == ["text", "image", "resource"]


@both_modes
@pytest.mark.parametrize(
    ("action", "said"),
    [("accept", "Order o-1 is cancelled."), ("decline", "Nothing was cancelled.")],
)
async def test_an_example_cancels_an_order_only_if_the_user_accepts(
    mode: Mode, action: Literal["accept", "decline"], said: str
) -> None:
    asked = []

    async def answer(context: ClientRequestContext, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        content: Any = {"sure": True} if action == "accept" else None
        return types.ElicitResult(action=action, content=content)

    async with (
        serving_example() as url,
        Client(url, mode=mode, elicitation_callback=answer) as client,
    ):
        result = await client.call_tool("cancel_order", {"id": "o-1"})
        exported = await client.call_tool("export_orders")

    assert asked == ["Cancel order o-1?"]
    assert result.content[0].text == said  # type: ignore[union-attr]
    assert exported.structured_content == {"exported": 3}


@both_modes
async def test_an_example_returns_an_error_to_a_client_without_elicitation(mode: Mode) -> None:
    async with serving_example() as url, Client(url, mode=mode) as client:
        result = await client.call_tool("cancel_order", {"id": "o-1"})

    assert result.is_error
