"""Responses of a backend, mapped to the results of a tool."""

from __future__ import annotations

from typing import Any

from mcp_operator.api.catalog import ResponseMapping
from mcp_operator.gateway.contract import ToolResult
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.content import tool_result
from support.entries import tool

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


def map_answer(
    body: bytes,
    content_type: str = "",
    *,
    status: int = 200,
    problems: tuple[str, ...] = (),
    **fields: Any,
) -> ToolResult:
    response = ResponseMapping(**fields.pop("response", {}))
    entry = tool(response=response, **fields)
    return tool_result(entry, Answer(status, content_type, body), lambda _: list(problems))


def text_of(result: ToolResult) -> str:
    (block,) = result.content
    assert block["type"] == "text"
    return str(block["text"])
