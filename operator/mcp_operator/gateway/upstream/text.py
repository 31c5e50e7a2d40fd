"""Which answers are text, and the text of those that are.

Text is decoded strictly: what a model reads is what the backend wrote, or it is told that it
cannot be shown. Nothing is turned into replacement characters.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import replace
from typing import Final

from mcp_operator.gateway.upstream.answer import Answer

JSON_TYPES: Final = frozenset({"application/json", "text/json"})

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
"""Formats whose bytes may look like text and are none."""

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

_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}
)
"""Python calls them text encodings; on the web none of them is a charset."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"',]{1,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"^\s*<\?xml[^>]{0,100}\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})")
_HTML_CHARSET = re.compile(
    rb"<meta\s[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9._-]{1,40})", re.IGNORECASE
)
_HTML_HEAD: Final = 1024  # where the HTML standard has its reader look
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Control characters that no text holds; form feed and the escape of terminal colours may be."""


def is_json(media_type: str) -> bool:
    """Tell whether a media type promises one JSON value."""
    return media_type in JSON_TYPES or (
        media_type.endswith("+json") and media_type not in JSON_LINE_TYPES
    )


def holds_json(media_type: str) -> bool:
    """Tell whether a media type promises JSON: one value, or one on each line."""
    return is_json(media_type) or media_type in JSON_LINE_TYPES


def text_of(answer: Answer, media_type: str | None = None) -> str | None:
    """Return an answer's text; None where it is none, or none that can be decoded.

    Args:
        answer: What the backend said.
        media_type: The type to go by instead of the answer's own.
    """
    media_type = answer.media_type if media_type is None else media_type
    if not is_text_type(media_type):
        return None if _is_binary_type(media_type) else _plain_text(answer)
    charset = _declared(answer.content_type) or _within(answer.body, media_type)
    return _decoded(answer.body, charset or "utf-8")


def as_type(answer: Answer, mime_type: str) -> Answer:
    """Return an answer as one of another type; as it is where none is given.

    A charset that the answer declares holds on where `mime_type` declares none.
    """
    if not mime_type:
        return answer
    declared = _CHARSET.search(answer.content_type)
    if declared and not _CHARSET.search(mime_type):
        mime_type = f"{mime_type}; charset={declared[1]}"
    return replace(answer, content_type=mime_type)


def is_text_type(media_type: str) -> bool:
    """Tell whether a media type says that its content is text."""
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
    """Return what has no type, or one that says nothing, where its bytes are text."""
    text = _decoded(answer.body, _declared(answer.content_type) or _mark(answer.body) or "utf-8")
    return None if text is None or _UNPRINTABLE.search(text) else text


def _decoded(body: bytes, charset: str) -> str | None:
    try:
        return body.decode(charset).removeprefix("\ufeff")
    except UnicodeError:
        return None


def _declared(content_type: str) -> str:
    """Return the charset that a `Content-Type` names, where Python knows it under that name."""
    match = _CHARSET.search(content_type)
    return _known(match[1]) if match else ""


def _known(label: str) -> str:
    for name in (label, label.lower().removeprefix("x-")):
        try:
            b"a".decode(name)  # refuses "base64" and the like, which are no encodings of text
        except UnicodeError:
            pass  # half a character of UTF-16
        except (LookupError, ValueError):
            continue
        return "" if codecs.lookup(name).name in _NO_CHARSETS else name
    return ""


def _mark(body: bytes) -> str:
    return next((charset for mark, charset in _BOMS if body.startswith(mark)), "")


def _within(body: bytes, media_type: str) -> str:
    """Return the charset that a text names in itself, as its format has it."""
    if marked := _mark(body):
        return marked
    if is_json(media_type):
        return json.detect_encoding(body)
    found = None
    if media_type.endswith(("/xml", "+xml")):
        found = _XML_CHARSET.match(body[:_HTML_HEAD])
    elif media_type == "text/html":
        found = _HTML_CHARSET.search(body[:_HTML_HEAD])
    return _known(found[1].decode("ascii")) if found else ""
