"""The head of a request, checked so that it cannot become two requests."""

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
"""Methods that send Content-Length even if they have no content (RFC 9110 section 8.6)."""


FieldLine = NewType("FieldLine", bytes)
"""A header line with its line ending, as `field_line` writes it (RFC 9112 section 5)."""


class BadRequestError(ValueError):
    """A request cannot be written; the message says which part, without its content."""


def field_line(name: str, value: str) -> FieldLine:
    """Return a header line.

    Raises:
        BadRequestError: A part contains a character that could end the line, or the header is one
            of those that frame the message.
    """
    if not _NAME.fullmatch(name) or name.lower() in _FRAMING or not _VALUE.fullmatch(value):
        raise BadRequestError("a header is not valid HTTP, or not for its sender to set")
    return FieldLine(f"{name}: {value}\r\n".encode("ascii"))


def request_head(
    method: str, target: str, headers: Iterable[FieldLine], body: bytes | None
) -> bytes:
    """Return the request line and the headers, with the empty line after them.

    Args:
        method: In upper case.
        target: Absolute path and query, encoded.
        headers: All headers except those that frame the message, which are added here.
        body: The body after the head; None for none.

    Raises:
        BadRequestError: A part contains a character that could end it.
    """
    if not _METHOD.fullmatch(method) or not _TARGET.fullmatch(target):
        raise BadRequestError("the method or the target is not valid HTTP")
    has_length = body is not None or method in _WITH_CONTENT
    length = f"Content-Length: {len(body or b'')}\r\n" if has_length else ""
    start = f"{method} {target} HTTP/1.1\r\n"
    return b"".join((start.encode("ascii"), *headers, length.encode("ascii"), b"\r\n"))
