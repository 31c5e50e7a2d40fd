"""Catalog entries as the JSON objects that clients list."""

from __future__ import annotations

from typing import Any, Final

from mcp_operator.api.catalog import (
    JsonObject,
    PromptEntry,
    ResourceEntry,
    ServerSettings,
    ToolEntry,
)
from mcp_operator.api.tool_definition import tool_definition
from mcp_operator.gateway.protocol.spec import Era

WRAPPED: Final = "result"
"""The property that carries a legacy structured result that is not an object itself."""

TITLES_SINCE: Final = "2025-06-18"
ICONS_SINCE: Final = "2025-11-25"
"""Which also brought `websiteUrl`."""

_DIALECT_KEYWORDS: Final = ("$schema", "$defs", "definitions")
"""Stay at the root of a wrapped schema: `#/$defs/...` points there."""


def server(settings: ServerSettings, version: str, revision: str = "2026-07-28") -> JsonObject:
    """Describe the server with the fields that a revision of MCP knows (`Implementation`).

    Args:
        settings: What the MCPServer says of itself.
        version: The gateway's own, where it says none.
        revision: The protocol version that is spoken; revisions sort by their dates.
    """
    described: JsonObject = {"name": settings.name, "version": settings.version or version}
    if settings.title and revision >= TITLES_SINCE:
        described["title"] = settings.title
    if settings.website_url and revision >= ICONS_SINCE:
        described["websiteUrl"] = settings.website_url
    if settings.icons and revision >= ICONS_SINCE:
        described["icons"] = list(settings.icons)
    return described


def tool(entry: ToolEntry, era: Era) -> JsonObject:
    """Describe a tool."""
    described = tool_definition(entry)
    output = entry.listed_output_schema
    if output is not None and era is Era.LEGACY and is_wrapped(output):
        described["outputSchema"] = _wrap(output)
        if described["outputSchema"] is None:
            del described["outputSchema"]
    return described


def prompt(entry: PromptEntry) -> JsonObject:
    """Describe a prompt and its arguments."""
    described = _named(entry)
    described["arguments"] = [
        {**_named(variable), "required": variable.required} for variable in entry.variables
    ]
    return described


def resource(entry: ResourceEntry) -> JsonObject:
    """Describe a resource or a resource template."""
    described = _named(entry)
    if entry.uri_template:
        described["uriTemplate"] = entry.uri_template
    else:
        described["uri"] = entry.uri
    if entry.mime_type:
        described["mimeType"] = entry.mime_type
    if entry.annotations:
        described["annotations"] = entry.annotations
    return described


def _named(entry: Any) -> JsonObject:
    described: JsonObject = {"name": entry.name}
    if entry.title:
        described["title"] = entry.title
    if entry.description:
        described["description"] = entry.description
    return described


def is_wrapped(schema: JsonObject) -> bool:
    """Tell whether legacy clients, who know only objects at the root, need the value wrapped."""
    return schema.get("type") != "object"


def _wrap(schema: JsonObject) -> JsonObject | None:
    """Describe `{"result": <value>}`; None where a reference to the old root would break."""
    if _refers_to_root(schema):
        return None
    inner = {key: value for key, value in schema.items() if key not in _DIALECT_KEYWORDS}
    outer = {key: schema[key] for key in _DIALECT_KEYWORDS if key in schema}
    return outer | {"type": "object", "properties": {WRAPPED: inner}, "required": [WRAPPED]}


def _refers_to_root(node: Any) -> bool:
    if isinstance(node, list):
        return any(_refers_to_root(item) for item in node)
    if not isinstance(node, dict):
        return False
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        hoisted = reference.startswith(("#/$defs/", "#/definitions/"))
        if not hoisted:
            return True
    return any(_refers_to_root(value) for value in node.values())
