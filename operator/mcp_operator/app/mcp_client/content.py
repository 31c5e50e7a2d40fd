"""Formats results of tools, prompts and resources. All functions take JSON from the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mcp_operator.app.mcp_client.text import as_json, lines

Json = Mapping[str, Any]


def tool_result(result: Json) -> Iterator[str]:
    """Yield the lines of the result of a call."""
    if result.get("isError"):
        yield "The tool reports an error:"
    for block in result.get("content") or ():
        yield from content(block)
    if "structuredContent" in result and not _repeated(result):
        yield "structured content:"
        yield from as_json(result["structuredContent"]).splitlines()


def prompt_result(result: Json) -> Iterator[str]:
    """Yield the lines of a prompt: each message below its role."""
    if result.get("description"):
        yield from lines(str(result["description"]))
    for message in result.get("messages") or ():
        yield f"--- {message.get('role')}"
        yield from content(message.get("content") or {})


def contents(result: Json) -> Iterator[str]:
    """Yield the lines of the contents of a resource."""
    for part in result.get("contents") or ():
        if len(result["contents"]) > 1:
            yield f"--- {part.get('uri')}"
        yield from _resource(part)


def content(block: Json) -> Iterator[str]:
    """Yield the lines of one content block."""
    kind = str(block.get("type"))
    match kind:
        case "text":
            yield from lines(str(block.get("text", "")))
        case "image" | "audio":
            yield _binary(kind, block.get("mimeType"), block.get("data", ""))
        case "resource_link":
            yield from lines(f"[link to {block.get('uri')}: {block.get('name')}]")
        case "resource":
            resource = block.get("resource") or {}
            yield from lines(f"[resource {resource.get('uri')}]")
            yield from _resource(resource)
        case _:
            yield from lines(f"[content of type {kind}; use --output json to see it]")


def _resource(resource: Json) -> Iterator[str]:
    if "text" in resource:
        yield from lines(str(resource["text"]))
    else:
        yield _binary("data", resource.get("mimeType"), resource.get("blob", ""))


def _binary(kind: str, media_type: Any, encoded: Any) -> str:
    text = str(encoded)
    size = len(text) * 3 // 4 - text[-2:].count("=")
    told = f"[{kind}, {media_type or 'unknown type'}, {size} bytes; use --output json to get it]"
    return next(lines(told))


def _repeated(result: Json) -> bool:
    """Tell whether the only text repeats the structured content, as MCP asks servers to do."""
    blocks: Sequence[Json] = result.get("content") or ()
    if len(blocks) != 1 or blocks[0].get("type") != "text":
        return False
    try:
        return bool(json.loads(blocks[0]["text"]) == result["structuredContent"])
    except ValueError:
        return False
