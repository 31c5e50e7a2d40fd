"""The head of a request: what is written cannot become two requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NewType

_METHOD: Final = re.compile(r"[A-Z]+")
_TARGET: Final = re.compile(r"/[!-~]*")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE: Final = re.compile(r"[\t -~]*")  # RFC 9110 section 5.5, without obs-text
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection"})
_WITH_CONTENT: Final = frozenset({"PATCH", "POST", "PUT"})
"""Methods whose requests say so when they have no content (RFC 9110 section 8.6)."""


FieldLine = NewType("FieldLine", bytes)
"""A header with the end of its line, as `field_line` writes it (RFC 9112 section 5)."""


class BadRequestError(ValueError):
    """A request cannot be written; the sentence says which part, without what was in it."""


def field_line(name: str, value: str) -> FieldLine:
    """Return a header as it is sent.

    Raises:
        BadRequestError: A part holds a character that could begin another, or the header is one of
            those that frame the message.
    """
    if not _NAME.fullmatch(name) or name.lower() in _FRAMING or not _VALUE.fullmatch(value):
        raise BadRequestError("a header is not valid HTTP, or not for its sender to set")
    return FieldLine(f"{name}: {value}\r\n".encode("ascii"))


def request_head(
    method: str, target: str, headers: Iterable[FieldLine], body: bytes | None
) -> bytes:
    """Return request line and headers, with the empty line.

    Args:
        method: In upper case.
        target: Absolute path and query, encoded.
        headers: All but those that frame the message, which are written here.
        body: What follows the head; None for nothing.

    Raises:
        BadRequestError: A part holds a character that could begin another.
    """
    if not _METHOD.fullmatch(method) or not _TARGET.fullmatch(target):
        raise BadRequestError("the method or the target is not valid HTTP")
    has_length = body is not None or method in _WITH_CONTENT
    length = f"Content-Length: {len(body or b'')}\r\n" if has_length else ""
    start = f"{method} {target} HTTP/1.1\r\n"
    return b"".join((start.encode("ascii"), *headers, length.encode("ascii"), b"\r\n"))
