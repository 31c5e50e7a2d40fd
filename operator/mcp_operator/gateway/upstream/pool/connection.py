"""One connection: one request at a time, and whatever nobody has asked for ends it."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from typing import Final, cast

from mcp_operator.gateway.upstream.pool.reply import Reply

_LARGE: Final = 64 * 1024
"""Bytes of a request beyond which a transport may ask for a pause (asyncio's high-water mark)."""


class Connection(asyncio.BufferedProtocol):
    """One connection to a backend.

    Attributes:
        born: When it was made, in the loop's time.
        idle_since: When its last answer was whole.
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
            answered: Called when a request is answered and another can follow.
            lost: Called when it is closed.
            received: Where to receive; connections may share it, as what is received is read before
                anything else is. Its size bounds how long a backend of tiny chunks holds the loop.
        """
        self._answered = answered
        self._lost = lost
        self._received = received
        self._reply: Reply | None = None
        self._is_paused = self._is_clean = False
        self._news = select.poll()
        self.born = self.idle_since = 0.0

    def is_quiet(self) -> bool:
        """Tell whether it can take a request: it is open, and nothing waits to be read from it.

        The event loop may not have come to what the kernel holds: the end of the connection, or
        something that would be taken for the answer to the next request.
        """
        return not self.transport.is_closing() and not self._news.poll(0)

    async def ask(self, method: str, head: bytes, body: bytes | None) -> Reply:
        """Send a request, and return its answer when the head of that has come.

        The caller must call `close` on the answer in the end.

        Raises:
            ConnectionError: The connection broke, or what came is not HTTP.
            ssl.SSLError: The other side ended TLS with an alert.
        """
        reply = self._reply = Reply(self, method)
        data = memoryview(head + body if body else head)
        if len(data) > _LARGE:
            # With TLS, what a transport has taken is not counted as waiting to be sent, but what is
            # written afterwards is, for as long as most of that waits.
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
        """Close without a word; what was not sent yet is dropped, and what is under way fails."""
        self.transport.abort()

    def pause(self) -> None:
        """Receive no more for now; a little may yet come."""
        if not self._is_paused and not self.transport.is_closing():
            self._is_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Receive again."""
        if self._is_paused and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be connected, and with TLS known to each other."""
        self.transport = cast("asyncio.Transport", transport)
        self.born = asyncio.get_running_loop().time()
        self._news.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - as asyncio has it
        """Say where to receive."""
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        """Receive a part of the answer; without a request, there is none."""
        reply = self._reply
        if reply is None:
            self.abort()
            return
        reply.feed(self._received[:nbytes])
        if not reply.is_whole:
            return
        self._reply = None
        self.resume()
        may_hold_more = nbytes == len(self._received)  # TLS may, where `is_quiet` cannot see it
        may_continue = reply.may_continue and not may_hold_more
        if may_continue and not self.transport.get_write_buffer_size():
            self.idle_since = asyncio.get_running_loop().time()
            self._answered(self)
        else:
            self.abort()

    def eof_received(self) -> None:
        """Note whether the other side has ended properly; asyncio says no difference with TLS."""
        tls: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        self._is_clean = tls is None or _is_ended(tls)

    def connection_lost(self, exc: Exception | None) -> None:
        """Be no longer connected."""
        self._lost(self)
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.end(exc, is_clean=self._is_clean)


def _is_ended(tls: ssl.SSLObject) -> bool:
    """Tell whether TLS was ended by its own message (RFC 8446 section 6.1), rather than cut off."""
    try:
        return not tls.read(1)
    except ssl.SSLError as error:
        return isinstance(error, ssl.SSLZeroReturnError)
