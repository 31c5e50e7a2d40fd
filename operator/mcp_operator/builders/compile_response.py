"""Compiling `response`: how an answer of a tool's backend becomes a result."""

from __future__ import annotations

from mcp_operator.api.catalog import ResponseMapping
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.v1alpha1.response import ToolResponse


def compile_response(response: ToolResponse) -> ResponseMapping:
    """Return the mapping of a tool's answers."""
    stream = response.stream
    duration = stream.max_duration if stream else None
    return ResponseMapping(
        json_path=response.json_path or "",
        structured=response.structured,
        error_status=response.error_status,
        headers=response.headers,
        follow_redirects=response.follow_redirects,
        stream_max_events=stream.max_events if stream else None,
        stream_max_seconds=parse_duration(duration) if duration else None,
    )
