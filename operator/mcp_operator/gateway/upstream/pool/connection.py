"""One connection: one request at a time. Data that was not requested closes it."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from typing import Final, cast

from mcp_operator.gateway.upstream.pool.reply import Reply

_LARGE: Final = 64 * 1024
"""Bytes of a request beyond which a transport can ask for a pause (asyncio's high-water mark)."""


class Connection(asyncio.BufferedProtocol):
    """One connection to a backend.

    Attributes:
        born: When it was opened, in the loop's time.
        idle_since: When its last response was complete.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        answered: Callable[[Connection], None],
        lost: Callable[[Connection], None],
        received: memoryview,
    ) -> None:
        """Set up, for asyncio to connect.

        Args:
            answered: Called when a response is complete and another request can follow.
            lost: Called when it is closed.
            received: The receive buffer. Connections can share it, because it is read before any
                other data arrives. Its size limits how long tiny chunks can block the event loop.
        """
        self._answered = answered
        self._lost = lost
        self._received = received
        self._reply: Reply | None = None
        self._is_paused = self._is_clean = False
        self._news = select.poll()
        self.born = self.idle_since = 0.0

    def is_quiet(self) -> bool:
        """Tell whether it can take a request: it is open, and has no data to read.

        The event loop can lag behind the kernel, which can already have the end of the connection,
        or data that would be read as the response to the next request.
        """
        return not self.transport.is_closing() and not self._news.poll(0)

    async def ask(self, method: str, head: bytes, body: bytes | None) -> Reply:
        """Send a request, and return its response as soon as the response's head has arrived.

        The caller must call `close` on the response.

        Raises:
            ConnectionError: The connection broke, or the response is not HTTP.
            ssl.SSLError: The backend ended TLS with an alert.
        """
        reply = self._reply = Reply(self, method)
        data = memoryview(head + body if body else head)
        if len(data) > _LARGE:
            # A TLS transport does not count the first write as unsent data. It does count what is
            # written after it, for as long as most of the first write is unsent.
            self.transport.write(data[:-1])
            data = data[-1:]
        self.transport.write(data)
        try:
            await reply.head()
        except BaseException:
            reply.close()
            raise
        return reply

    def abort(self) -> None:
        """Close at once; unsent data is dropped, and a request in progress fails."""
        self.transport.abort()

    def pause(self) -> None:
        """Pause reading; a little more data can still arrive."""
        if not self._is_paused and not self.transport.is_closing():
            self._is_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Resume reading."""
        if self._is_paused and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()

    # Callbacks for the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport, which is connected and, with TLS, has completed the handshake."""
        self.transport = cast("asyncio.Transport", transport)
        self.born = asyncio.get_running_loop().time()
        self._news.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return the receive buffer."""
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        """Receive a part of the response; data without a request closes the connection."""
        reply = self._reply
        if reply is None:
            self.abort()
            return
        reply.feed(self._received[:nbytes])
        if not reply.is_whole:
            return
        self._reply = None
        self.resume()
        may_hold_more = nbytes == len(self._received)  # TLS can, which `is_quiet` cannot detect
        may_continue = reply.may_continue and not may_hold_more
        if may_continue and not self.transport.get_write_buffer_size():
            self.idle_since = asyncio.get_running_loop().time()
            self._answered(self)
        else:
            self.abort()

    def eof_received(self) -> None:
        """Note whether the backend ended TLS cleanly, because asyncio does not report that."""
        tls: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        self._is_clean = tls is None or _is_ended(tls)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end of the connection to the pool and to the response."""
        self._lost(self)
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.end(exc, is_clean=self._is_clean)


def _is_ended(tls: ssl.SSLObject) -> bool:
    """Tell whether TLS ended with its own message (RFC 8446 section 6.1), and was not cut off."""
    try:
        return not tls.read(1)
    except ssl.SSLError as error:
        return isinstance(error, ssl.SSLZeroReturnError)
