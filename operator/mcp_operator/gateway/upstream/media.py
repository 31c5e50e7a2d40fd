"""What is not JSON, as the content blocks that clients and the APIs of models take.

A model API that is sent an image of a type it does not know refuses the whole conversation, and
clients pass image blocks on unread. So only what all of them take becomes one, and only where the
bytes are what they are said to be.
"""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import quote

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.upstream.answer import Answer, status_line
from mcp_operator.gateway.upstream.text import as_type, is_text_type, text_of

OCTETS: Final = "application/octet-stream"

_IMAGES: Final = (
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF87a"),
    ("image/gif", b"GIF89a"),
)
"""The images that the APIs of all large providers take, WebP besides, and how each begins."""


def text_block(text: str) -> JsonObject:
    """Return a block of text."""
    return {"type": "text", "text": text}


def media_blocks(answer: Answer, tool_name: str) -> tuple[JsonObject, ...]:
    """Return the content of an answer that is not handled as JSON.

    Args:
        answer: What the backend said.
        tool_name: Goes into the URI of an embedded resource.
    """
    if answer.is_empty:
        return (text_block(f"{status_line(answer)} without content."),)
    kind = answer.media_type.partition("/")[0]
    if kind == "image" and (image := _image_type(answer.body)):
        return ({"type": "image", "data": _base64(answer.body), "mimeType": image},)
    if kind == "audio" and not is_text_type(answer.media_type):
        return ({"type": "audio", "data": _base64(answer.body), "mimeType": answer.media_type},)
    text = text_of(answer)
    if text is not None and answer.media_type != OCTETS:  # which says that it is a file
        return (text_block(text),)
    media_type = answer.media_type or OCTETS
    note = f"{status_line(answer)} with {media_type}, {len(answer.body)} bytes, as a resource:"
    uri = f"tool://{quote(tool_name, safe='')}/result"
    return text_block(note), {"type": "resource", "resource": resource(uri, answer, media_type)}


def resource(uri: str, answer: Answer, mime_type: str) -> JsonObject:
    """Return one of the `contents` of a resource: text where it can be, else base64.

    Args:
        uri: The resource's URI.
        answer: What the backend said.
        mime_type: The type that is claimed and gone by; that of the answer where it is empty.
    """
    content: JsonObject = {"uri": uri}
    if named := mime_type or answer.media_type:
        content["mimeType"] = named
    text = text_of(as_type(answer, mime_type))
    return content | ({"blob": _base64(answer.body)} if text is None else {"text": text})


def _image_type(body: bytes) -> str:
    """Return the type that an image is of by its first bytes; empty for one that not all take."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for media_type, magic in _IMAGES if body.startswith(magic)), "")


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")
