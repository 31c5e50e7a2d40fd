"""Results of calls that need no input and do not become jobs."""

from __future__ import annotations

from collections.abc import Awaitable

from mcp_operator.gateway.contract import InputRequired, Job, ToolResult


async def completed(calling: Awaitable[ToolResult | InputRequired | Job]) -> ToolResult:
    """Return the result of a call."""
    result = await calling
    assert isinstance(result, ToolResult)
    return result
