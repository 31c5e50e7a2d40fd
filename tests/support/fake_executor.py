"""An executor without backends: tests script what it answers and see what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from mcp_operator.api.catalog import JsonObject, ResourceEntry, ToolEntry
from mcp_operator.api.uritemplates import Variables
from mcp_operator.gateway.contract import Call, InputRequired, ToolResult

Script: TypeAlias = Callable[[Call], Awaitable[ToolResult | InputRequired]]
Result: TypeAlias = ToolResult | InputRequired | tuple[JsonObject, ...] | Exception


def text_result(text: str, *, is_error: bool = False) -> ToolResult:
    return ToolResult(content=({"type": "text", "text": text},), is_error=is_error)


@dataclass
class FakeExecutor:
    """Answers each tool with `results`, or with the tool's own name.

    Attributes:
        results: What to answer, or raise, by tool name or resource URI; of a tool, also what to do.
        gate: While cleared, tool calls wait.
        calls: Tool names and arguments, in order.
        seen: The `Call` of each tool call, in order.
        cancelled: Names of tools whose call was cancelled.
        started: Set when a call begins.
        stopped: Set when a call was cancelled.
    """

    results: dict[str, Result | Script] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[tuple[str, JsonObject]] = field(default_factory=list)
    seen: list[Call] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def call_tool(
        self, tool: ToolEntry, arguments: JsonObject, call: Call
    ) -> ToolResult | InputRequired:
        self.calls.append((tool.name, arguments))
        self.seen.append(call)
        self.started.set()
        try:
            await self.gate.wait()
            result = self.results.get(tool.name, text_result(tool.name))
            if callable(result):
                return await result(call)
        except asyncio.CancelledError:
            self.cancelled.append(tool.name)
            self.stopped.set()
            raise
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, ToolResult | InputRequired)
        return result

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: Variables, call: Call
    ) -> tuple[JsonObject, ...]:
        result = self.results.get(uri)
        if isinstance(result, Exception):
            raise result
        text = entry.text if entry.text is not None else f"{entry.name} {dict(variables)}"
        return ({"uri": uri, "mimeType": entry.mime_type, "text": text},)
