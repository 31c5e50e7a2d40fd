"""One response, parsed by llhttp, the parser of Node.js, in its strict mode.

llhttp rejects bare line feeds, folded lines, control characters in headers, and lengths that are
repeated or are not numbers. This module adds what llhttp leaves to its user: limits, and the check
that a message has only one way to tell where it ends. Two readers that disagree about the end see
different responses (RFC 9112 section 11.2).
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD: Final = 64 * 1024
"""Bytes of the head, including interim heads and trailers; Node.js and nginx allow 16 KiB."""

MAX_HEADERS: Final = 256
"""Header lines, including those of interim responses and trailers."""

MAX_INTERIM: Final = 16
"""Interim responses (1xx) before the final one; servers send one or two."""

_AROUND: Final = 8
"""Bytes of framing for each byte of a chunked body; chunks of a single byte need five."""

_AHEAD: Final = 256 * 1024
"""Bytes of a body that are received before they are read."""

_LENGTH: Final = re.compile(r"[0-9]{1,20}")
"""A length of at most 64 bits; more digits can only be zeros, and Python converts up to 4,300."""

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_VERSIONS: Final = frozenset({"1.0", "1.1"})


class ProtocolError(ConnectionError):
    """The response is not valid, so the place where it seems to end cannot be trusted."""


class Source(Protocol):
    """The connection that the bytes of a response come from."""

    def pause(self) -> None:
        """Pause reading."""

    def resume(self) -> None:
        """Resume reading."""

    def abort(self) -> None:
        """Close the connection."""


class Reply:
    """A response that is being received.

    Attributes:
        status: The HTTP status; 0 until the head has arrived.
        headers: Names in lower case and values, in the order in which they came. Bytes that are not
            UTF-8 become half surrogates (PEP 383).
        is_whole: Whether the last byte has arrived.
        may_continue: Whether the connection can be used for another request afterward.
    """

    def __init__(self, source: Source, method: str) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.is_whole = False
        self.may_continue = False
        self._source = source
        self._is_head = method == "HEAD"
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._interim = self._lines = self._line_bytes = self._received = self._body_bytes = 0
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def header(self, name: str) -> str:
        """Return the first value of a header; empty for none.

        Args:
            name: In lower case.
        """
        for key, value in self.headers:
            if key == name:
                return value
        return ""

    @property
    def announced(self) -> int:
        """The length of the body according to the head; 0 if unknown, or if there is no body."""
        if self._is_head or self.status in _BODILESS:
            return 0
        return int(self.header("content-length") or 0)

    async def head(self) -> None:
        """Wait for status and headers.

        Raises:
            ConnectionError: The connection broke, or the response is not HTTP.
            ssl.SSLError: The backend ended TLS with an alert.
        """
        while not self.status:
            await self._more()

    async def read(self) -> bytes:
        """Return what has arrived of the body since the last call; empty at its end.

        If nobody reads, the backend has to wait. Raises the same errors as `head`.
        """
        while not self._pieces:
            if self.is_whole:
                return b""
            await self._more()
        piece = b"".join(self._pieces) if len(self._pieces) > 1 else self._pieces[0]
        self._pieces.clear()
        self._waiting = 0
        if not self.is_whole:  # otherwise another request can already use the connection
            self._source.resume()
        return piece

    def close(self) -> None:
        """Abandon the response; closes the connection if the response is not complete."""
        if not self.is_whole:
            self._source.abort()

    # Callbacks for the connection

    def feed(self, data: bytes | memoryview) -> None:
        """Parse received bytes; after the last one, `is_whole` and `may_continue` are valid."""
        if self._parser is None:
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.fail(ProtocolError("it switches protocols"))
        except HttpParserError as error:
            self.may_continue = False  # in case extra data followed a complete response
            reason = error.__context__
            self.fail(reason if isinstance(reason, ProtocolError) else ProtocolError(str(error)))
        if not self.is_whole:
            around = self._received - self._body_bytes
            if around > MAX_HEAD + _AROUND * self._body_bytes:
                self.fail(ProtocolError("its chunks have more framing than content"))
            if self._waiting > _AHEAD:
                self._source.pause()
        if self.is_whole or self._error is not None:
            self._parser = None  # breaks a reference cycle, to free memory at once
        self._wake()

    def fail(self, error: Exception) -> None:
        """Raise an error for the reader, unless the response is complete."""
        if not self.is_whole and self._error is None:
            self._error = error
            self._source.abort()
            self._wake()

    def end(self, error: Exception | None, *, is_clean: bool) -> None:
        """Note that the connection is gone, which can be the end of a body (RFC 9112, 6.3).

        Args:
            error: Why the connection broke; None if it did not.
            is_clean: Whether the backend declared the end of its data.
        """
        framed = any(name in ("content-length", "transfer-encoding") for name, _ in self.headers)
        if error is None and is_clean and self.status and not framed and self._error is None:
            self.is_whole = True
        self._parser = None
        self.fail(error or ConnectionError("the connection was closed early"))
        self._wake()

    # Callbacks for the parser; an exception in one stops it

    def on_message_begin(self) -> None:
        """Reject data after a complete response."""
        if self.is_whole:
            raise ProtocolError("data followed the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header; drop a trailer, which is not one (RFC 9110 section 6.5.1)."""
        self._lines += 1
        self._line_bytes += len(name) + len(value)
        if self._lines > MAX_HEADERS or self._line_bytes > MAX_HEAD:
            raise ProtocolError("it has too many headers")
        if not self.status:
            text = value.strip(b" \t").decode("utf-8", "surrogateescape")
            self.headers.append((name.decode("ascii").lower(), text))

    def on_headers_complete(self) -> None:
        """Store the status, unless it is an interim one such as 100."""
        assert self._parser is not None  # noqa: S101 - the parser is the caller
        status = self._parser.get_status_code()
        self._check_framing(status, self._parser.get_http_version())
        if status < HTTPStatus.OK:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise ProtocolError("it has too many interim responses")
            self.headers.clear()
            return
        self.status = status
        if self._is_head:  # llhttp would wait for the announced body
            self.is_whole = True
            raise ProtocolError("the rest of the connection is not read")

    def on_body(self, piece: bytes) -> None:
        """Store a part of the body."""
        self._pieces.append(piece)
        self._waiting += len(piece)
        self._body_bytes += len(piece)

    def on_message_complete(self) -> None:
        """Note that the response is complete; any further data does not belong to it."""
        if self.status and self._parser is not None:
            self.is_whole = True
            self.may_continue = self._parser.should_keep_alive()

    def _check_framing(self, status: int, version: str) -> None:
        """Reject a response whose end is ambiguous.

        Raises:
            ProtocolError: The framing is ambiguous or not supported.
        """
        lengths = [value for name, value in self.headers if name == "content-length"]
        codings = [value for name, value in self.headers if name == "transfer-encoding"]
        if version not in _VERSIONS or status < HTTPStatus.CONTINUE:
            raise ProtocolError("it is not HTTP/1")
        if lengths and (codings or len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0])):
            raise ProtocolError("its Content-Length is repeated or is not a number")
        if codings and (len(codings) > 1 or codings[0].lower() != "chunked" or version != "1.1"):
            raise ProtocolError("its transfer coding is not chunked alone")
        if status < HTTPStatus.OK and (codings or lengths):
            raise ProtocolError("an interim response cannot have content")

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
