"""Compiling `response`: how an answer of a tool's backend becomes a result."""

from __future__ import annotations

from mcp_operator.api.budget import SelectionError
from mcp_operator.api.catalog import ResponseMapping
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.reasons import Reason
from mcp_operator.api.selection import error_when, jmes_path, json_path
from mcp_operator.api.v1alpha1.response import ToolResponse
from mcp_operator.builders.compiled import InvalidError


def compile_response(response: ToolResponse) -> ResponseMapping:
    """Return the mapping of a tool's answers.

    Raises:
        InvalidError: An expression is none, or could take too long.
    """
    for field, given, compile_ in (
        ("jsonPath", response.json_path, json_path),
        ("jmesPath", response.jmes_path, jmes_path),
        ("errorWhen", response.error_when, error_when),
    ):
        try:
            if given:
                compile_(given)
        except SelectionError as error:
            raise InvalidError(Reason.INVALID, f"response.{field}: {error}") from error
    stream = response.stream
    duration = stream.max_duration if stream else None
    return ResponseMapping(
        error_when=response.error_when or "",
        jmes_path=response.jmes_path or "",
        json_path=response.json_path or "",
        structured=response.structured,
        error_status=response.error_status,
        headers=response.headers,
        follow_redirects=response.follow_redirects,
        stream_max_events=stream.max_events if stream else None,
        stream_max_seconds=parse_duration(duration) if duration else None,
    )
