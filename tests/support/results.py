"""Results of calls that ask for nothing."""

from __future__ import annotations

from collections.abc import Awaitable

from mcp_operator.gateway.contract import InputRequired, ToolResult


async def completed(calling: Awaitable[ToolResult | InputRequired]) -> ToolResult:
    """Return the result of a call."""
    result = await calling
    assert isinstance(result, ToolResult)
    return result
