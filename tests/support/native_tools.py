"""Tools of the conformance suite whose backends respond with MCP content."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from mcp_operator.api.catalog import JsonObject, ResponseMapping, ToolEntry
from support.entries import backend, tool

RESULT_TYPE = "application/vnd.mcp.result+json"


def text(told: str) -> JsonObject:
    return {"content": [{"type": "text", "text": told}]}


def mixed(png: bytes) -> JsonObject:
    """Return a result with three kinds of content."""
    image = base64.b64encode(png).decode("ascii")
    embedded = {
        "uri": "test://mixed-content-resource",
        "mimeType": "application/json",
        "text": '{"test":"data","value":123}',
    }
    return {
        "content": [
            {"type": "text", "text": "Multiple content types test:"},
            {"type": "image", "data": image, "mimeType": "image/png"},
            {"type": "resource", "resource": embedded},
        ]
    }


PROGRESS = [("progress", {"progress": done, "total": 100}) for done in (0, 50, 100)]
LOGS = [
    ("log", {"level": "info", "data": f"Tool {what}"})
    for what in ("execution started", "processing data", "execution completed")
]
STREAMS: Mapping[str, list[tuple[str, JsonObject]]] = {
    "/test_tool_with_progress": PROGRESS,
    "/test_tool_with_logging": LOGS,
    "/test_logging_tool": LOGS,
}

NATIVE_TOOLS: tuple[ToolEntry, ...] = tuple(
    tool(
        path.removeprefix("/"),
        backend(path),
        description=f"Answers what {path} answers.",
        response=ResponseMapping(native=True),
    )
    for path in ("/test_multiple_content_types", *STREAMS)
)


async def events(path: str) -> AsyncIterator[bytes]:
    """Yield the events of a stream, each in a separate packet."""
    for name, data in (*STREAMS[path], ("result", text("It is done."))):
        yield f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
        await asyncio.sleep(0.05)  # the suite requires this


async def answer_natively(request: web.BaseRequest, png: bytes) -> web.StreamResponse | None:
    """Respond as the backend of one of these tools; return None for any other."""
    if request.path == "/test_multiple_content_types":
        return web.json_response(mixed(png), content_type=RESULT_TYPE)
    if request.path not in STREAMS:
        return None
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    async for event in events(request.path):
        await response.write(event)
    return response
