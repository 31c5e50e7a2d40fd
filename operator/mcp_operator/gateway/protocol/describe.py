"""Turns catalog entries into the JSON objects that clients list."""

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

WRAPPED: Final = "result"
"""The property that holds a structured result for legacy clients if it is not an object."""

HINTS_SINCE: Final = "2025-03-26"
"""The first revision with annotations of tools."""
TITLES_SINCE: Final = "2025-06-18"
OUTPUT_SINCE: Final = "2025-06-18"
"""The first revision with structured results and their schemas."""
ICONS_SINCE: Final = "2025-11-25"
"""The first revision with icons and `websiteUrl`."""
ANY_OUTPUT_SINCE: Final = "2026-07-28"
"""The first revision with structured results that are not objects."""

_DIALECT_KEYWORDS: Final = ("$schema", "$defs", "definitions")
"""These stay at the root of a wrapped schema, because `#/$defs/...` refers to the root."""


def server(settings: ServerSettings, version: str, revision: str = "2026-07-28") -> JsonObject:
    """Describe the server with the fields of a revision of MCP (`Implementation`).

    Args:
        settings: The settings of the MCPServer.
        version: The gateway's own version, used if the MCPServer has none.
        revision: The client's protocol version; revisions sort by their dates.
    """
    described: JsonObject = {"name": settings.name, "version": settings.version or version}
    if settings.title and revision >= TITLES_SINCE:
        described["title"] = settings.title
    if settings.website_url and revision >= ICONS_SINCE:
        described["websiteUrl"] = settings.website_url
    if settings.icons and revision >= ICONS_SINCE:
        described["icons"] = list(settings.icons)
    return described


def tool(entry: ToolEntry, revision: str) -> JsonObject:
    """Describe a tool with the fields of a revision of MCP."""
    described = tool_definition(entry)
    if revision < HINTS_SINCE:
        described.pop("annotations", None)
    if revision < TITLES_SINCE:
        described.pop("title", None)
    if revision < ICONS_SINCE:
        described.pop("icons", None)
    output = described.pop("outputSchema", None)
    if output is not None and revision < ANY_OUTPUT_SINCE and is_wrapped(output):
        output = _wrap(output)
    if output is not None and revision >= OUTPUT_SINCE:
        described["outputSchema"] = output
    return described


def prompt(entry: PromptEntry, revision: str) -> JsonObject:
    """Describe a prompt and its arguments with the fields of a revision of MCP."""
    described = _named(entry, revision)
    described |= _icons(entry, revision)
    described["arguments"] = [
        {**_named(variable, revision), "required": variable.required}
        for variable in entry.variables
    ]
    return described


def resource(entry: ResourceEntry, revision: str) -> JsonObject:
    """Describe a resource or a resource template with the fields of a revision of MCP."""
    described = _named(entry, revision)
    if entry.uri_template:
        described["uriTemplate"] = entry.uri_template
    else:
        described["uri"] = entry.uri
    if entry.mime_type:
        described["mimeType"] = entry.mime_type
    if entry.annotations:
        described["annotations"] = entry.annotations
    return described | _icons(entry, revision)


def _icons(entry: PromptEntry | ResourceEntry, revision: str) -> JsonObject:
    return {"icons": list(entry.icons)} if entry.icons and revision >= ICONS_SINCE else {}


def _named(entry: Any, revision: str) -> JsonObject:
    described: JsonObject = {"name": entry.name}
    if entry.title and revision >= TITLES_SINCE:
        described["title"] = entry.title
    if entry.description:
        described["description"] = entry.description
    return described


def is_wrapped(schema: JsonObject) -> bool:
    """Tell whether legacy clients, which require an object at the root, need a wrapped value."""
    return schema.get("type") != "object"


def _wrap(schema: JsonObject) -> JsonObject | None:
    """Return the schema of `{"result": <value>}`; None if a reference to the root would break."""
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
