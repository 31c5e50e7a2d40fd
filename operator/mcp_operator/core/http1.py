"""HTTP/1.1 to one server over connections that are kept: what a request costs, and no more.

An API server is asked three times for each change, and a general client takes most of the CPU time
that a change costs: it builds URLs, cookies, redirects and header maps that nobody here reads. The
bytes of answers are read by llhttp, the parser of Node.js.

A request is sent once. Whether it may be sent again only its sender knows.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from typing import Final, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from mcp_operator.core.wire import Wire

_PART: Final = 1 << 16
"""Bytes of a body that are sent at a time."""

_AHEAD: Final = 1 << 20
"""Bytes of a stream that are received before somebody takes them."""


class Answer:
    """An answer that is being received.

    Attributes:
        status: The HTTP status.
    """

    __slots__ = (
        *("_ahead", "_connection", "_error", "_fields", "_is_whole", "_parser", "_parts", "_size"),
        *("_waiter", "status"),
    )

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._connection = connection
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._size = 0
        self._ahead: float = _AHEAD
        self._is_whole = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers, by their names in lower case; made when asked for, which is seldom."""
        headers: dict[str, str] = {}
        for name, value in self._fields:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        return headers

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            ConnectionError: It broke off.
            TimeoutError: It took too long.
        """
        self._ahead = math.inf
        if not self._is_whole:
            self._connection.resume()
        while not self._is_whole:
            await self._more()
        return b"".join(self._parts)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Give the body as it comes, and let the server wait for who takes it.

        Raises:
            ConnectionError: It broke off.
            TimeoutError: Nothing came for too long.
        """
        while True:
            if self._parts:
                parts, self._parts, self._size = self._parts, [], 0
                if not self._is_whole:  # else the connection may serve another
                    self._connection.resume()
                yield b"".join(parts)
            elif self._is_whole:
                return
            else:
                await self._more()

    def close(self) -> None:
        """Leave the answer; the connection is of no use if not all of it has come.

        A polite end of TLS would wait for the server, and nothing waits for that at shutdown.
        """
        if not self._is_whole:
            self._connection.abort()

    async def head(self) -> None:
        """Wait for status and headers; raises as `read` does."""
        while not self._has_head:
            await self._more()

    def feed(self, data: bytes) -> None:
        """Take in what was received."""
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.fail(ConnectionError(f"the answer is no HTTP: {error}"))
            self._connection.abort()
        if self._is_whole or self._error is not None:
            self._parser = None  # it refers to this answer, and only the collector finds that
        self._size += len(data)
        if self._size > self._ahead and self._parts and not self._is_whole:
            self._connection.pause()
        self._wake()

    def fail(self, error: Exception) -> None:
        """Have whoever waits for more raise an error, unless there is nothing more to come."""
        if not self._is_whole and self._error is None:
            self._error = error
            self._wake()

    def end(self, error: Exception | None) -> None:
        """Take note that the connection is gone: that may be how the body ends (RFC 9112, 6.3)."""
        self._parser = None
        headers = self.headers
        marked = "content-length" in headers or "transfer-encoding" in headers
        if error is self._error is None and self._has_head and not marked:
            self._is_whole = True
            self._wake()
        else:
            self.fail(error or ConnectionError("the server closed the connection"))

    # What the parser calls

    def on_message_begin(self) -> None:
        """Refuse what nobody has asked for; the connection is then closed."""
        if self._is_whole:
            raise ConnectionError("the server answered twice")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; several of one name are a list (RFC 9110, 5.2)."""
        if not self.status:  # a trailer is no header (RFC 9110, 6.5.1)
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Keep the status, unless it is a provisional one such as 100."""
        status = self._parser.get_status_code() if self._parser else 0
        if status >= HTTPStatus.OK:
            self.status = status
        else:
            self._fields.clear()

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """Give the connection back, after the last byte."""
        if self._has_head and self._parser:
            self._is_whole = True
            self._connection.done(reusable=self._parser.should_keep_alive())

    @property
    def _has_head(self) -> bool:
        return self.status > 0

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Pool(Protocol):
    """Who owns connections, and is told what becomes of them."""

    def add(self, connection: Connection, /) -> None:
        """Take note of a connection that came about."""

    def keep(self, connection: Connection, /) -> None:
        """Take back a connection whose request is answered."""

    def remove(self, connection: Connection, /) -> None:
        """Forget a connection that is gone."""


class Connection(Wire):
    """One connection, with one request at a time.

    Attributes:
        idle_since: When the last answer was whole, in the loop's time.
    """

    def __init__(self, pool: Pool, tls: ssl.SSLContext | None = None, name: str = "") -> None:
        super().__init__(tls, name)
        self.idle_since = 0.0
        self._pool = pool
        self._answer: Answer | None = None
        self._silence = self._until = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._is_sending = False

    async def ask(
        self,
        head: bytes,
        body: bytes,
        guard: Callable[[], None],
        *,
        within: float | None,
        silence: float | None,
    ) -> Answer:
        """Send a request and return its answer when the head of it has come.

        Args:
            head: The request line and all headers, with the empty line.
            body: What Content-Length announces.
            guard: Asked before each part of a body is sent; it raises to prevent that.
            within: Seconds until the answer is whole; None for a stream.
            silence: Seconds without a byte of the answer; None where `within` is enough.

        Raises:
            ConnectionError: The connection broke, or what came is no HTTP.
            TimeoutError: It took too long.
        """
        if not self.is_open:
            raise ConnectionError("the server closed the connection")
        answer = self._answer = Answer(self)
        self.heard = self.loop.time()
        self._silence = math.inf if silence is None else silence
        self._until = math.inf if within is None else self.heard + within
        self._set_timer(min(self._until, self.heard + self._silence))
        try:
            await self._send(head, body, guard)
            await answer.head()
        except BaseException:
            answer.close()  # but not the connection if it has been given back, and taken since
            raise
        return answer

    def done(self, *, reusable: bool) -> None:
        """Take note that the answer is whole."""
        self._answer = None
        self.resume()
        if reusable and self.is_open and not self._is_sending:
            self.idle_since = self.loop.time()
            self._pool.keep(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close without a word; what is under way fails."""
        if self._answer is not None:
            self._answer.fail(ConnectionError("the connection was given up"))
        super().abort()

    def leave(self) -> asyncio.Transport:
        """Have no more to do with the transport, which somebody else goes on with."""
        self._answer = None
        self._pool.remove(self)
        return self.transport

    # What the wire calls

    def connected(self) -> None:
        """Be connected."""
        self._pool.add(self)

    def received(self, data: bytes) -> None:
        """Receive a part of an answer."""
        if self._answer is None:
            self.abort()  # nobody has asked
        else:
            self._answer.feed(data)

    def lost(self, error: Exception | None) -> None:
        """Be no longer connected."""
        self._pool.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        answer = self._answer
        self._answer = None
        if answer is not None:
            answer.end(error)

    async def _send(self, head: bytes, body: bytes, guard: Callable[[], None]) -> None:
        if not body:
            self.write(head)
            return
        self._is_sending = True
        for start in range(0, len(body), _PART):
            part = body[start : start + _PART]
            sealed = self.sealed(part if start else head + part)
            guard()  # last of all: a process may be frozen for long between any two instructions
            self.transport.write(sealed)
            await self.writable()
            if not self.is_open:
                return  # why is for the answer to tell
        self._is_sending = False

    def _time_is_up(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        now = self.loop.time()
        heard = now if self.is_paused else self.heard  # nobody is silent who is not listened to
        due = min(self._until, heard + self._silence)
        if due > now:
            self._set_timer(due)
        else:
            self._answer.fail(TimeoutError("the server did not answer in time"))
            self.abort()

    def _set_timer(self, due: float) -> None:
        """See to it that the time is looked at when it may be up, or before.

        One timer serves many requests: as a rule they are answered long before their time.
        """
        if self._timer is not None and self._timer.when() > due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and due < math.inf:
            self._timer = self.loop.call_at(due, self._time_is_up)
