"""Adapts results to older revisions, whose clients reject what they do not know."""

from __future__ import annotations

from typing import Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway import exact
from mcp_operator.gateway.protocol.describe import OUTPUT_SINCE

LINKS_SINCE: Final = "2025-06-18"
AUDIO_SINCE: Final = "2025-03-26"


def older_result(result: JsonObject, revision: str) -> JsonObject:
    """Return the result of an operation without features that a revision of MCP does not have.

    `structuredContent` is dropped, because the text of the result contains the same. A link to a
    resource becomes text, and audio becomes an embedded resource.

    Args:
        result: A result of the newest revision with sessions.
        revision: The protocol version of the client.
    """
    if revision >= max(OUTPUT_SINCE, LINKS_SINCE):
        return result
    told = {key: value for key, value in result.items() if key != "structuredContent"}
    if "content" in told:
        told["content"] = [_block(one, revision) for one in told["content"]]
    if "messages" in told:
        told["messages"] = [
            one | {"content": _block(one["content"], revision)} for one in told["messages"]
        ]
    return told


def _block(block: JsonObject, revision: str) -> JsonObject:
    kind = exact.decoded(block["type"])
    if kind == "resource_link" and revision < LINKS_SINCE:
        name, uri = exact.decoded(block.get("name", "")), exact.decoded(block["uri"])
        return {"type": "text", "text": f"Resource {name}: {uri}"}
    if kind == "audio" and revision < AUDIO_SINCE:
        embedded = {"uri": "tool://result/audio", "blob": block["data"]}
        return {"type": "resource", "resource": embedded | {"mimeType": block["mimeType"]}}
    return block
