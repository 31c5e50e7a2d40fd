"""Warnings about what MCP allows and known clients reject, so that a tool is missing there.

Most clients pass names and schemas on to the API of a model unchanged. If the API rejects one tool,
the request fails with all tools of the conversation. Each fact names where it was reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.api.nesting import pointer_name
from mcp_operator.api.schema_hints import schema_hints, subschemas

# OpenAI API reference, function.name: "a-z, A-Z, 0-9, or contain underscores and dashes, with a
# maximum length of 64".
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

# github.com/anthropics/claude-code/issues/79418 and roychri/mcp-server-asana/issues/16, in which
# the dot is rejected, too.
_PROPERTY_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

# github.com/anthropics/claude-code/issues/5973 (the API's error) and 95504 (the tool is dropped).
_TOP_LEVEL: Final = ("oneOf", "anyOf", "allOf")

# github.com/google-gemini/gemini-cli/issues/13142 and 13326, github/copilot-cli/issues/1876.
_REFERENCE: Final = "$ref"


def client_warnings(tool: ToolEntry) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield field paths in a tool's definition, each with what clients do about that field."""
    if not _TOOL_NAME.fullmatch(tool.name):
        yield (
            ("name",),
            (
                f"the OpenAI API, and clients that pass names on to it, refuse the tool name"
                f" {tool.name!r}: use at most 64 of A-Z, a-z, 0-9, _ and -"
            ),
        )
    for keyword in _TOP_LEVEL:
        if keyword in tool.input_schema:
            yield (
                ("inputSchema", keyword),
                (
                    f"Claude Code leaves out a tool with {keyword} at the top of its inputSchema,"
                    " and the Anthropic API refuses it; move it into a property"
                ),
            )
    for pointer, part in subschemas(tool.input_schema):
        if _REFERENCE in part:
            yield (
                _path(f"{pointer}/{_REFERENCE}"),
                "Gemini CLI and GitHub Copilot CLI do not resolve $ref; copy the schema here",
            )
            break
    for name in tool.input_schema.get("properties") or ():
        if not _PROPERTY_NAME.fullmatch(name):
            yield (
                ("inputSchema", "properties", name),
                (
                    f"Claude Code and the Anthropic API refuse the argument name {name!r}: use at"
                    " most 64 of A-Z, a-z, 0-9, _ and -, and the backend's name in"
                    " request.arguments[].as"
                ),
            )
    for pointer, hint in schema_hints(tool.input_schema):
        yield _path(pointer), hint
    for pointer, hint in schema_hints(tool.output_schema or {}):
        yield ("outputSchema", *_path(pointer)[1:]), hint


def _path(pointer: str) -> tuple[str, ...]:
    return ("inputSchema", *map(pointer_name, pointer.split("/")[1:]))
