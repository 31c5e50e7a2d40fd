"""One answer: its bytes are read by llhttp, the parser of Node.js, in its strict mode.

llhttp refuses bare line feeds, folded lines, control characters in headers, and lengths that are no
numbers or given twice. Added here is what it leaves to its user: bounds, and that a message has one
way to tell where it ends. Two readers that disagree about that see different answers
(RFC 9112 section 11.2).
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD: Final = 64 * 1024
"""Bytes of the head of an answer with its interim ones and trailers; Node.js and nginx take 16."""

MAX_HEADERS: Final = 256
"""Header lines, counted in the same way."""

MAX_INTERIM: Final = 16
"""Interim answers (1xx) before the one that counts; servers send one or two."""

_AROUND: Final = 8
"""Bytes around each byte of a body that is sent in chunks: one by one, they take five."""

_AHEAD: Final = 256 * 1024
"""Bytes of a body that are received before somebody takes them."""

_LENGTH: Final = re.compile(r"[0-9]{1,20}")
"""A length of at most 64 bits; more digits can only be zeros, and Python converts no 5,000."""

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_VERSIONS: Final = frozenset({"1.0", "1.1"})


class ProtocolError(ConnectionError):
    """What came is not an answer that can be trusted to end where it seems to end."""


class Source(Protocol):
    """Where the bytes of an answer come from."""

    def pause(self) -> None:
        """Receive no more for now."""

    def resume(self) -> None:
        """Receive again."""

    def abort(self) -> None:
        """Receive no more."""


class Reply:
    """An answer that is being received.

    Attributes:
        status: The HTTP status; 0 until the head is there.
        headers: Names in lower case and values, in the order in which they came. Bytes that are no
            UTF-8 are half surrogates (PEP 383).
        is_whole: Whether its last byte has come.
        may_continue: Whether another answer may follow it on the same connection.
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
        """Return the first value of a header, empty for none.

        Args:
            name: In lower case.
        """
        for key, value in self.headers:
            if key == name:
                return value
        return ""

    @property
    def announced(self) -> int:
        """The bytes of the body as its head tells them; 0 where it does not, or there are none."""
        if self._is_head or self.status in _BODILESS:
            return 0
        return int(self.header("content-length") or 0)

    async def head(self) -> None:
        """Wait for status and headers.

        Raises:
            ConnectionError: The connection broke, or what came is not HTTP.
            ssl.SSLError: The other side ended TLS with an alert.
        """
        while not self.status:
            await self._more()

    async def read(self) -> bytes:
        """Return what has come of the body since the last call, nothing after its end.

        The backend waits while nobody reads; raises as `head` does.
        """
        while not self._pieces:
            if self.is_whole:
                return b""
            await self._more()
        piece = b"".join(self._pieces) if len(self._pieces) > 1 else self._pieces[0]
        self._pieces.clear()
        self._waiting = 0
        if not self.is_whole:  # else the connection may serve another
            self._source.resume()
        return piece

    def close(self) -> None:
        """Leave the answer; a connection on which more of it may come is of no use."""
        if not self.is_whole:
            self._source.abort()

    # What the connection calls

    def feed(self, data: bytes | memoryview) -> None:
        """Take in what was received; after the last byte, `is_whole` and `may_continue` tell."""
        if self._parser is None:
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.fail(ProtocolError("it switches protocols"))
        except HttpParserError as error:
            self.may_continue = False  # the answer is whole if more came than belongs to it
            reason = error.__context__
            self.fail(reason if isinstance(reason, ProtocolError) else ProtocolError(str(error)))
        if not self.is_whole:
            around = self._received - self._body_bytes
            if around > MAX_HEAD + _AROUND * self._body_bytes:
                self.fail(ProtocolError("its chunks have more framing than content"))
            if self._waiting > _AHEAD:
                self._source.pause()
        if self.is_whole or self._error is not None:
            self._parser = None  # it refers to this reply, and only the collector finds that
        self._wake()

    def fail(self, error: Exception) -> None:
        """Have whoever waits for more raise an error, unless there is nothing more to come."""
        if not self.is_whole and self._error is None:
            self._error = error
            self._source.abort()
            self._wake()

    def end(self, error: Exception | None, *, is_clean: bool) -> None:
        """Take note that the connection is gone, which may be how a body ends (RFC 9112, 6.3).

        Args:
            error: What broke it, if something did.
            is_clean: Whether the other side has said that nothing more follows.
        """
        framed = any(name in ("content-length", "transfer-encoding") for name, _ in self.headers)
        if error is None and is_clean and self.status and not framed and self._error is None:
            self.is_whole = True
        self._parser = None
        self.fail(error or ConnectionError("the connection was closed early"))
        self._wake()

    # What the parser calls; what is raised here ends it

    def on_message_begin(self) -> None:
        """Refuse what nobody has asked for."""
        if self.is_whole:
            raise ProtocolError("data followed the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, and drop a trailer, which is none (RFC 9110 section 6.5.1)."""
        self._lines += 1
        self._line_bytes += len(name) + len(value)
        if self._lines > MAX_HEADERS or self._line_bytes > MAX_HEAD:
            raise ProtocolError("it has too many headers")
        if not self.status:
            text = value.strip(b" \t").decode("utf-8", "surrogateescape")
            self.headers.append((name.decode("ascii").lower(), text))

    def on_headers_complete(self) -> None:
        """Keep the status, unless it is a provisional one such as 100."""
        assert self._parser is not None  # noqa: S101 - it is what calls
        status = self._parser.get_status_code()
        self._check_framing(status, self._parser.get_http_version())
        if status < HTTPStatus.OK:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise ProtocolError("it has too many interim responses")
            self.headers.clear()
            return
        self.status = status
        if self._is_head:  # llhttp would wait for the body that is announced
            self.is_whole = True
            raise ProtocolError("the rest of the connection is not read")

    def on_body(self, piece: bytes) -> None:
        """Keep a part of the body."""
        self._pieces.append(piece)
        self._waiting += len(piece)
        self._body_bytes += len(piece)

    def on_message_complete(self) -> None:
        """Be whole; what is received after this belongs to no answer."""
        if self.status and self._parser is not None:
            self.is_whole = True
            self.may_continue = self._parser.should_keep_alive()

    def _check_framing(self, status: int, version: str) -> None:
        """Refuse what says in two ways, or in none that is certain, where the answer ends.

        Raises:
            ProtocolError: It does.
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
