"""Decides which responses are text, and decodes them.

Text is decoded strictly. A model reads exactly what the backend wrote, or a message that it cannot
be shown; nothing is silently replaced.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from mcp_operator.gateway.upstream import charsets
from mcp_operator.gateway.upstream.answer import Answer

JSON_TYPES: Final = frozenset(
    {"application/json", "application/x-json", "text/json", "text/x-json"}
)

EVENT_STREAM: Final = "text/event-stream"
"""Server-sent events."""

RESULT_TYPE: Final = "application/vnd.mcp.result+json"
"""A result of MCP's `tools/call`, as JSON."""

JSON_LINE_TYPES: Final = frozenset(
    {
        "application/json-lines",
        "application/json-seq",  # RFC 7464
        "application/jsonl",
        "application/jsonlines",
        "application/ndjson",
        "application/stream+json",
        "application/x-json-stream",
        "application/x-jsonlines",
        "application/x-ndjson",
        "text/jsonl",
        "text/x-ndjson",
    }
)
"""One JSON value on each line."""

_TEXT_TYPES: Final = JSON_LINE_TYPES | {
    "application/csv",
    "application/ecmascript",
    "application/graphql",
    "application/hal",
    "application/javascript",
    "application/openmetrics-text",
    "application/sql",
    "application/toml",
    "application/vnd.apple.mpegurl",
    "application/x-httpd-php",
    "application/x-javascript",
    "application/x-pem-file",
    "application/x-sh",
    "application/x-www-form-urlencoded",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
    "audio/mpegurl",
    "audio/x-mpegurl",
    "audio/x-scpls",
}

_TEXT_SUFFIXES: Final = ("+json", "+json-seq", "+xml", "+yaml")  # RFC 6839, RFC 8091, RFC 9512

_BINARY_TYPES: Final = frozenset(
    {
        "application/cbor",
        "application/gzip",
        "application/java-archive",
        "application/msgpack",
        "application/msword",
        "application/pdf",
        "application/protobuf",
        "application/vnd.apache.avro",
        "application/vnd.apache.parquet",
        "application/vnd.google.protobuf",
        "application/vnd.msgpack",
        "application/vnd.sqlite3",
        "application/wasm",
        "application/x-gzip",
        "application/x-msgpack",
        "application/x-protobuf",
        "application/x-tar",
        "application/zip",
    }
)
"""Formats whose bytes can look like text, but are not."""

_BINARY_PREFIXES: Final = (
    "application/grpc",
    "application/vnd.ms-",
    "application/vnd.oasis.",
    "application/vnd.openxmlformats",
    "audio/",
    "font/",
    "video/",
)
_BINARY_SUFFIXES: Final = ("+cbor", "+der", "+gzip", "+protobuf", "+zip", "+zstd")

_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Control characters that text does not contain; form feed and escape (terminal colors) can be."""


def is_json(media_type: str) -> bool:
    """Tell whether a media type means one JSON value."""
    return media_type in JSON_TYPES or (
        media_type.endswith("+json") and media_type not in JSON_LINE_TYPES
    )


def holds_json(media_type: str) -> bool:
    """Tell whether a media type means JSON: one value, or one on each line."""
    return is_json(media_type) or media_type in JSON_LINE_TYPES


def text_of(answer: Answer, media_type: str | None = None) -> str | None:
    """Return a response's text; None if it is not text, or cannot be decoded.

    Args:
        answer: The response of the backend.
        media_type: A type that overrides the response's own.
    """
    media_type = answer.media_type if media_type is None else media_type
    if is_text_type(media_type):
        text = charsets.decoded(answer.body, answer.content_type, media_type)
        return None if text is None or "\0" in text else text  # NUL means UTF-16, or not text
    return None if _is_binary_type(media_type) else _plain_text(answer)


def shown_text(answer: Answer) -> str:
    """Return the text of an error response, even if some characters have to be replaced."""
    text = text_of(answer)
    if text is not None or not is_text_type(answer.media_type):
        return text or ""
    text = charsets.decoded(answer.body, answer.content_type, answer.media_type)
    if text is None:
        text = answer.body.decode(errors="replace")
    return text if text.count("\ufffd") * 4 < len(text) else ""


def as_type(answer: Answer, mime_type: str) -> Answer:
    """Return a response with another type; an empty type changes nothing.

    If `mime_type` declares no charset, the charset of the response stays.
    """
    if not mime_type:
        return answer
    declared = charsets.named(answer.content_type)
    if declared and not charsets.named(mime_type):
        mime_type = f"{mime_type}; charset={declared}"
    return replace(answer, content_type=mime_type)


def is_text_type(media_type: str) -> bool:
    """Tell whether a media type means text."""
    return (
        media_type.startswith("text/")
        or media_type in _TEXT_TYPES
        or is_json(media_type)
        or media_type.endswith(_TEXT_SUFFIXES)
    )


def _is_binary_type(media_type: str) -> bool:
    return not is_text_type(media_type) and (
        media_type in _BINARY_TYPES
        or media_type.startswith(_BINARY_PREFIXES)
        or media_type.endswith(_BINARY_SUFFIXES)
    )


def _plain_text(answer: Answer) -> str | None:
    """Return the text of a response without a meaningful type, if its bytes are text."""
    text = charsets.decoded(answer.body, answer.content_type, "")
    return None if text is None or _UNPRINTABLE.search(text) else text
