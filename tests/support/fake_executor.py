"""An executor without backends, whose results tests script and whose calls they inspect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from mcp_operator.api.catalog import JsonObject, ResourceEntry, ToolEntry
from mcp_operator.api.uritemplates import Variables
from mcp_operator.gateway.contract import Call, ClientInput, InputRequired, Job, ToolResult

Script: TypeAlias = Callable[[Call], Awaitable[ToolResult | InputRequired | Job]]
Result: TypeAlias = ToolResult | InputRequired | Job | tuple[JsonObject, ...] | Exception


def text_result(text: str, *, is_error: bool = False) -> ToolResult:
    return ToolResult(content=({"type": "text", "text": text},), is_error=is_error)


class WithoutJobs:
    """The part of an executor for jobs, without jobs."""

    async def look_at(self, tool: ToolEntry, job: Job, call: Call) -> ToolResult:
        raise AssertionError("there are no jobs")

    async def wait_for(self, tool: ToolEntry, job: Job, call: Call) -> ToolResult:
        raise AssertionError("there are no jobs")

    async def drop(self, tool: ToolEntry, job: Job, call: Call) -> None:
        raise AssertionError("there are no jobs")


@dataclass
class FakeExecutor:
    """Answers each tool with `results`, or with the tool's own name.

    Attributes:
        results: Results or exceptions by tool name or resource URI; for tools, also functions.
        gate: While cleared, tool calls wait.
        calls: Tool names and arguments, in order.
        seen: The `Call` of each tool call, in order.
        cancelled: Names of tools whose call was cancelled.
        started: Set when a call starts.
        stopped: Set when a call was cancelled.
        looks: The responses of consecutive polls of a job; the last one repeats.
        looked: The loop times of the polls of a job, with their input.
        dropped: Targets of jobs that were abandoned.
    """

    results: dict[str, Result | Script] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[tuple[str, JsonObject]] = field(default_factory=list)
    seen: list[Call] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    looks: list[Result | None] = field(default_factory=list)
    looked: list[tuple[float, ClientInput]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    async def call_tool(
        self, tool: ToolEntry, arguments: JsonObject, call: Call
    ) -> ToolResult | InputRequired | Job:
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
        assert isinstance(result, ToolResult | InputRequired | Job)
        return result

    async def look_at(
        self, tool: ToolEntry, job: Job, call: Call
    ) -> ToolResult | InputRequired | Job:
        self.looked.append((asyncio.get_running_loop().time(), call.input))
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if found is None:
            await asyncio.Event().wait()
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, ToolResult | InputRequired | Job)
        return found

    async def wait_for(self, tool: ToolEntry, job: Job, call: Call) -> ToolResult:
        return text_result(f"waited for {job.target}")

    async def drop(self, tool: ToolEntry, job: Job, call: Call) -> None:
        self.dropped.append(job.target)

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: Variables, call: Call
    ) -> tuple[JsonObject, ...]:
        result = self.results.get(uri)
        if isinstance(result, Exception):
            raise result
        text = entry.text if entry.text is not None else f"{entry.name} {dict(variables)}"
        return ({"uri": uri, "mimeType": entry.mime_type, "text": text},)
