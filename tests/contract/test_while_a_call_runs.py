"""What the official Python client hears, and is asked, while a call runs."""

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
both_eras = pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")


class Ears:
    """Keeps what a client is told."""

    def __init__(self) -> None:
        self.progress: list[tuple[float, float | None, str | None]] = []
        self.logged: list[Any] = []

    async def hear_progress(
        self, progress: float, total: float | None, message: str | None
    ) -> None:
        self.progress.append((progress, total, message))

    async def hear_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params.data)


@asynccontextmanager
async def listening(url: str, mode: Mode, ears: Ears) -> AsyncIterator[Client]:
    level: Any = "info" if mode != "legacy" else None
    async with Client(url, mode=mode, logging_callback=ears.hear_log, log_level=level) as client:
        if mode == "legacy":
            await client.set_logging_level("info")
        yield client


@both_eras
async def test_a_client_hears_progress_and_logs(mode: Mode) -> None:
    ears = Ears()
    async with serving_everything() as served, listening(served.url, mode, ears) as client:
        moved = await client.call_tool(
            "test_tool_with_progress", progress_callback=ears.hear_progress
        )
        logged = await client.call_tool("test_tool_with_logging")

    assert [block.text for block in moved.content + logged.content] == ["It is done."] * 2  # type: ignore[union-attr]
    assert ears.progress == [(0, 100, None), (50, 100, None), (100, 100, None)]
    assert ears.logged == [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ]


@both_eras
async def test_a_client_reads_a_result_of_several_blocks(mode: Mode) -> None:
    async with serving_everything() as served, Client(served.url, mode=mode) as client:
        result = await client.call_tool("test_multiple_content_types")

    assert [block.type for block in result.content] == ["text", "image", "resource"]


@both_eras
@pytest.mark.parametrize(
    ("action", "said"),
    [("accept", "Order o-1 is cancelled."), ("decline", "Nothing was cancelled.")],
)
async def test_the_user_of_a_client_is_asked_by_an_example(
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


@both_eras
async def test_a_client_that_cannot_ask_is_told_so_by_an_example(mode: Mode) -> None:
    async with serving_example() as url, Client(url, mode=mode) as client:
        result = await client.call_tool("cancel_order", {"id": "o-1"})

    assert result.is_error
