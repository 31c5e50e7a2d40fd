"""Maps content other than JSON to content blocks that clients and model APIs accept.

If a model API gets an image of an unsupported type, it rejects the whole conversation, and clients
forward image blocks without a check. So only image types that all of them support become image
blocks, and only if the bytes match the type.
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
"""Image types that the APIs of all large providers support, and their first bytes. WebP is checked
separately."""


def text_block(text: str) -> JsonObject:
    """Return a text block."""
    return {"type": "text", "text": text}


def media_blocks(answer: Answer, tool_name: str) -> tuple[JsonObject, ...]:
    """Return the content of a response that is not handled as JSON.

    Args:
        answer: The response of the backend.
        tool_name: The name of the tool, for the URI of an embedded resource.
    """
    if answer.is_empty:
        return (text_block(f"{status_line(answer)} without content."),)
    kind = answer.media_type.partition("/")[0]
    if kind == "image" and (image := _image_type(answer.body)):
        return ({"type": "image", "data": _base64(answer.body), "mimeType": image},)
    if kind == "audio" and not is_text_type(answer.media_type):
        return ({"type": "audio", "data": _base64(answer.body), "mimeType": answer.media_type},)
    text = text_of(answer)
    if text is not None and answer.media_type != OCTETS:  # that type means a file
        return (text_block(text),)
    media_type = answer.media_type or OCTETS
    note = f"{status_line(answer)} with {media_type}, {len(answer.body)} bytes, as a resource:"
    uri = f"tool://{quote(tool_name, safe='')}/result"
    return text_block(note), {"type": "resource", "resource": resource(uri, answer, media_type)}


def resource(uri: str, answer: Answer, mime_type: str) -> JsonObject:
    """Return one of the `contents` of a resource: text if possible, otherwise base64.

    Args:
        uri: The resource's URI.
        answer: The response of the backend.
        mime_type: The declared type, which is also used for decoding; if empty, the type of the
            response.
    """
    content: JsonObject = {"uri": uri}
    if named := mime_type or answer.media_type:
        content["mimeType"] = named
    text = text_of(as_type(answer, mime_type))
    return content | ({"blob": _base64(answer.body)} if text is None else {"text": text})


def _image_type(body: bytes) -> str:
    """Return the type of an image by its first bytes; empty unless all APIs support it."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for media_type, magic in _IMAGES if body.startswith(magic)), "")


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")
