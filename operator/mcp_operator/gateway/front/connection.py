"""One client connection: aiohttp's, with time limits, and without its revealing messages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, StreamReader, web
from aiohttp.http_exceptions import LineTooLong

from mcp_operator.core.logs import failure
from mcp_operator.core.transports import abort
from mcp_operator.gateway.front.unread import Unread

log = logging.getLogger(__name__)

HEAD_SECONDS: Final = 10.0
"""Time limit for the head of a request, from its first byte or from the connection's start."""

IDLE_SECONDS: Final = 75.0
"""How long an idle connection stays open. Longer than the idle timeout of proxies (60 s): they
close first, and do not send a request on a connection that the gateway is closing."""

WRITE_SECONDS: Final = 30.0
"""Time limit for a client to read each `LEAST_READ` bytes of a response."""

LEAST_READ: Final = 64 * 1024
"""Bytes that a client must read in `WRITE_SECONDS`, if that many are left; else it is cut off."""

LINGERING_SECONDS: Final = 2.0
"""How long the rest of a refused body is read and dropped. Closing at once would reset the
connection, and the client could miss the response (RFC 9112 §9.6)."""


class QuietRequest(web.BaseRequest):
    """A request whose response is always HTTP/1 and does not reveal the server's software."""

    @property
    def claimed_version(self) -> HttpVersion:
        """The version in the request line."""
        return super().version

    @property
    def version(self) -> HttpVersion:
        """The version of the response."""
        version = super().version
        if version is HttpVersion11:
            return version
        return min(max(version, HttpVersion10), HttpVersion11)

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        del response.headers["Server"]  # names aiohttp, Python, and their versions


class Connection(web.RequestHandler):
    """Cuts off clients that keep it waiting, and logs nothing that a client sent."""

    __slots__ = ("_arriving", "_body", "_left", "_stalled", "_unread", "_was_unread", "_wire")

    def __init__(
        self,
        server: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        unread: Unread,
        left: Callable[[], None],
    ) -> None:
        """Set up a connection.

        Args:
            server: Serves its requests.
            loop: The event loop.
            unread: Limits the bytes that wait for slow readers.
            left: Called once the connection is gone.
        """
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            access_log=None,  # type: ignore[arg-type]  # None turns it off
            auto_decompress=False,
        )
        self._left = left
        self._wire: asyncio.Transport | None = None
        self._body: StreamReader | None = None
        self._arriving: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._unread = unread
        self._was_unread = 0

    @property
    def never_made(self) -> bool:
        """Whether it was never connected, in which case `connection_lost` is never called."""
        return self._wire is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to wait for the first request."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # as for every TCP server
        self._wire = transport
        _tell_of_unread(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancel the timers, and report that the client left."""
        for timer in (self._arriving, self._stalled):
            if timer is not None:
                timer.cancel()
        self._unread.discard(self)
        super().connection_lost(exc)
        self._left()

    def data_received(self, data: bytes) -> None:
        """Take bytes. If no request is being served, start the time limit for the head."""
        super().data_received(data)
        if self._body is None:
            if not self._messages and self._arriving is None:
                self._expect_head()
        elif self._messages and not self._body.is_eof():
            # Nothing can follow an incomplete body. So aiohttp has queued an error about the
            # body, but it does not tell the handler that waits for the rest of the body.
            self._body.set_exception(web.RequestPayloadError())

    def rest(self, seconds: float) -> None:
        """Pause reading for a while; requests that have already arrived are still answered."""
        if self._wire is not None and seconds > 0:
            self._wire.pause_reading()
            self._loop.call_later(seconds, self._rested)

    def _rested(self) -> None:
        """Resume reading, unless aiohttp has paused it too: aiohttp pauses only once."""
        if self._wire is not None and not (self._reading_paused or self._buffer_paused):
            self._wire.resume_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 # aiohttp's
        """Resume reading if it is paused; aiohttp calls this whenever it hands out a body."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def begin(self, body: StreamReader) -> None:
        """Note that a request's head is complete, and where its body comes from."""
        self._body = body
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def end(self) -> None:
        """Note that a request has been answered."""
        self._body = None

    def _expect_head(self) -> None:
        self._arriving = self._loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        if self.writing_paused:  # a request waits until the last response is read
            self._expect_head()
        else:
            self.force_close()

    def pause_writing(self) -> None:
        """Note that the client has not read everything; from now on it must make progress."""
        super().pause_writing()
        self._expect_reading()
        self._unread.add(self)

    def resume_writing(self) -> None:
        """Note that the client has read everything."""
        self._unread.discard(self)
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    @property
    def unread(self) -> int:
        """Bytes that the client has not read yet."""
        return self._wire.get_write_buffer_size() if self._wire is not None else 0

    def cut(self) -> None:
        """Close the connection, and drop unsent data."""
        if self._wire is not None:
            abort(self._wire)

    def _expect_reading(self) -> None:
        self._was_unread = self.unread
        self._stalled = self._loop.call_later(WRITE_SECONDS, self._check_reading)

    def _check_reading(self) -> None:
        left = self.unread
        if left and left > self._was_unread - LEAST_READ:
            log.debug("Closed the connection of a client that does not read its response")
            self.cut()
        else:
            self._expect_reading()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it quotes the request
    ) -> web.StreamResponse:
        """Answer invalid HTTP and failures; neither response nor log quote the request."""
        if status == 500:  # noqa: PLR2004
            log.error("A request failed unexpectedly", extra=failure(exc))
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun, so the connection is closed")
        if isinstance(exc, LineTooLong):
            status, text = 431, "The request line or a header is too long\n"
        elif status == 400:  # noqa: PLR2004
            text = "The request is not valid HTTP/1.1 (RFC 9112)\n"
        else:
            text = "The request failed\n"
        answer = web.Response(status=status, text=text)
        answer.force_close()
        return answer

    def log_exception(self, *_: Any, **details: Any) -> None:
        """Log an unexpected error of aiohttp without its text, which can quote the request."""
        log.error("A connection failed unexpectedly", extra=failure(details.get("exc_info")))


def _tell_of_unread(transport: Any) -> None:
    """Make a transport pause its protocol at the first byte that the client does not read.

    asyncio's TLS transport counts only bytes that are not yet encrypted, but a response moves to
    the buffer of the underlying transport at once. That transport has no public name. The TLS
    transport also treats a limit of 0 as reached when the buffer is empty, and so pauses and
    resumes at every other event; hence the limit of 1.
    """
    tls = getattr(transport, "_ssl_protocol", None)
    if tls is None:
        transport.set_write_buffer_limits(high=0)
        return
    beneath, not_encrypted = tls._transport, tls._get_write_buffer_size  # noqa: SLF001
    tls._get_write_buffer_size = lambda: not_encrypted() + beneath.get_write_buffer_size()  # noqa: SLF001
    beneath.set_write_buffer_limits(high=0)
    transport.set_write_buffer_limits(high=1)
