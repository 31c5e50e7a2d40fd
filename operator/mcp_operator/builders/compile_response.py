"""Compiles how a backend's answer becomes a tool's result or a resource's content."""

from __future__ import annotations

from mcp_operator.api.budget import SelectionError
from mcp_operator.api.catalog import ResponseMapping
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.reasons import Reason
from mcp_operator.api.selection import error_when, jmes_path, json_path
from mcp_operator.api.v1alpha1.response import ResponseFields, ToolResponse
from mcp_operator.builders.compiled import InvalidError


def compile_response(response: ResponseFields, field: str = "response.") -> ResponseMapping:
    """Return the mapping of a backend's answers.

    Args:
        response: The declared mapping.
        field: The prefix of the paths of its fields in the object.

    Raises:
        InvalidError: An expression is not valid, or could take too long.
    """
    for name, given, compile_ in (
        ("jsonPath", response.json_path, json_path),
        ("jmesPath", response.jmes_path, jmes_path),
        ("errorWhen", response.error_when, error_when),
    ):
        try:
            if given:
                compile_(given)
        except SelectionError as error:
            raise InvalidError(Reason.INVALID, f"{field}{name}: {error}") from error
    stream = response.stream
    duration = stream.max_duration if stream else None
    mapping = ResponseMapping(
        error_when=response.error_when or "",
        jmes_path=response.jmes_path or "",
        json_path=response.json_path or "",
        error_status=response.error_status,
        mime_type=response.mime_type or "",
        follow_redirects=response.follow_redirects,
        stream_max_events=stream.max_events if stream else None,
        stream_max_seconds=parse_duration(duration) if duration else None,
    )
    if not isinstance(response, ToolResponse):
        return mapping
    return mapping.model_copy(
        update={
            "native": response.native,
            "structured": response.structured,
            "headers": response.headers,
        }
    )
