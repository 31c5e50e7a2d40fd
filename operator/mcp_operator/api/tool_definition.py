"""The definition of a tool that clients get, and the digest with which clients can pin it."""

from __future__ import annotations

import hashlib
import json

from mcp_operator.api.catalog import JsonObject, ToolEntry


def tool_definition(entry: ToolEntry) -> JsonObject:
    """Describe a tool as `tools/list` of 2026-07-28 does, with the schemas as they are written.

    The exception is `properties`, which is added where it is missing. OpenAI's API requires it even
    if there are no arguments. Clients that pass schemas on unchanged would otherwise lose every
    tool of the server.
    """
    described: JsonObject = {"name": entry.name}
    if entry.title:
        described["title"] = entry.title
    if entry.description:
        described["description"] = entry.description
    described["inputSchema"] = entry.input_schema
    if "properties" not in entry.input_schema:
        described["inputSchema"] = entry.input_schema | {"properties": {}}
    output = entry.listed_output_schema
    if output is not None:
        described["outputSchema"] = output
    if entry.annotations:
        described["annotations"] = entry.annotations
    if entry.icons:
        described["icons"] = list(entry.icons)
    return described


def definition_digest(entry: ToolEntry) -> str:
    """Return `sha256:` and the hex digest of the definition as canonical JSON.

    Canonical JSON is UTF-8 with sorted keys and without spaces, so the order of keys has no effect.
    """
    text = json.dumps(
        tool_definition(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
