"""Received responses of backends: decoded, mapped, and read by the official client."""

from __future__ import annotations

import base64
import zlib

from mcp.types import CallToolResult

from fuzz.feed import Feed
from fuzz.messages import strict
from mcp_operator.api.catalog import ResponseMapping, ToolEntry
from mcp_operator.gateway.protocol import jsonrpc
from mcp_operator.gateway.protocol.operations import _tool_result
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.upstream import charsets
from mcp_operator.gateway.upstream.answer import MAX_ERROR_TEXT, Answer, clean
from mcp_operator.gateway.upstream.compression import CompressionError, decompress
from mcp_operator.gateway.upstream.content import tool_result
from support.entries import tool

LIMIT = 50_000
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOLS = (
    tool(),
    tool(output_schema=SCHEMA),
    tool(response=ResponseMapping(json_path="$.a")),
    tool(response=ResponseMapping(jmes_path="a[*].b", structured="Always")),
    tool(response=ResponseMapping(error_when="body.ok == false", structured="Never")),
    tool(response=ResponseMapping(mime_type="text/csv; charset=iso-8859-1", headers=("X-A",))),
    tool(response=ResponseMapping(error_status="304,404")),
)
TYPES = (
    "application/json",
    "application/problem+json; charset=utf-16",
    "text/html; charset=windows-1252",
    "text/event-stream",
    "application/x-ndjson",
    "image/png",
    "audio/wav",
    "application/xml",
    "application/octet-stream",
    "",
)
STATUSES = (200, 201, 204, 302, 304, 400, 404, 500, 999)
CODINGS = ("", "gzip", "deflate", "br", "zstd", "gzip, br", "identity", "compress")
KINDS = frozenset({"text", "image", "audio", "resource"})


def check(data: bytes) -> None:
    """Map a response."""
    feed = Feed(data)
    entry, status = feed.pick(TOOLS), feed.pick(STATUSES)
    content_type = feed.pick(TYPES) if feed.byte() % 4 else feed.text()
    header, coding = feed.text(), feed.pick(CODINGS) if feed.byte() % 4 else feed.text()
    packed, cut = feed.byte() % 2 == 0, "after 3 events" if feed.byte() % 8 == 0 else ""
    body = feed.rest()
    if packed and coding in {"gzip", "deflate"}:
        body = zlib.compress(body * 64, wbits=31 if coding == "gzip" else 15)
    try:
        body = decompress(body, coding, LIMIT, partial=bool(cut))[:LIMIT]
    except CompressionError:
        body = b""
    ascii_type = content_type.encode("ascii", "replace").decode()
    answer = Answer(status, ascii_type, body, (("x-a", header), ("location", header)), cut)
    _check_charset(answer)
    _check_result(entry, answer)
    assert len(clean(header)) <= MAX_ERROR_TEXT + 1


def _check_charset(answer: Answer) -> None:
    text = charsets.decoded(answer.body, answer.content_type, answer.media_type)
    if text is not None:
        text.encode()
        assert len(text) <= len(answer.body) * 2


def _check_result(entry: ToolEntry, answer: Answer) -> None:
    """Map a response for both protocol generations, and parse it with the official client."""
    result = tool_result(entry, answer, lambda _: [])
    sent = b""
    for era in Era:
        sent = jsonrpc.result(1, jsonrpc.encode(_tool_result(era, entry, result)))
        read = CallToolResult.model_validate(strict(sent)["result"])
        assert read.content
        assert {block.type for block in read.content} <= KINDS
    for block in result.content:
        data = block.get("data") or block.get("resource", {}).get("blob") or ""
        assert base64.b64decode(data, validate=True) in {b"", answer.body}
    assert len(sent) <= 20_000 + 8 * len(answer.body) + 8 * len(str(answer.headers))
