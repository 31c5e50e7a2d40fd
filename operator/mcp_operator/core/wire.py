"""Bytes to and from a server over TCP, with TLS or without.

asyncio's own TLS is not used for one thing that it cannot do: to leave data in the kernel for a
while. An API server sends each object of a long list by itself, and to wake up for each takes more
CPU time than to read it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from typing import Final, cast

_RECORD: Final = 1 << 14
"""Bytes of the longest record of TLS; RFC 8446, section 5.1."""

_WINDOW: Final = 0.05
_MUCH: Final = 1 << 16
"""Bytes in a window of so many seconds from which on all that is received is followed by a rest."""

_REST: Final = 0.004
"""Seconds of a rest. What comes meanwhile is read at once, up to what the kernel holds of it."""

_OPTIONS: Final = (
    (socket.SO_KEEPALIVE, socket.SOL_SOCKET, 1),
    *(
        (getattr(socket, name), socket.IPPROTO_TCP, value)
        for name, value in (
            *(("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 30)),  # seconds
            ("TCP_USER_TIMEOUT", 5000),  # milliseconds
        )
        if hasattr(socket, name)  # macOS has the second alone and lives without the others
    ),
)
"""Probes keep firewalls from forgetting quiet streams; twice the times of Go's net.Dialer.

What a broken network holds up is given up after 5 s. The kernel would try for minutes, even when
the process has ended, and a write would arrive when the network is back and another leads.
"""


class Wire(asyncio.Protocol, ABC):
    """One connection, from the moment at which TCP is connected.

    Args:
        tls: Without it, plain text is spoken.
        name: What the certificate must be for.

    Attributes:
        loop: The event loop.
        transport: TCP, once it is connected.
        ready: Done when data can be sent; fails if TLS does.
        heard: When something was last received, in the loop's time.
        is_paused: Whether nothing more is received until `resume`.
    """

    transport: asyncio.Transport

    def __init__(self, tls: ssl.SSLContext | None, name: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self.heard = 0.0
        self.is_paused = False
        self._is_ended = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if tls is not None:
            self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._writable: asyncio.Future[None] | None = None
        self._window = 0.0
        self._bytes = self._before = 0  # in this window, and in the one before
        self._rest: asyncio.TimerHandle | None = None

    @abstractmethod
    def connected(self) -> None:
        """Be told that TCP is connected."""

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Take what was received."""

    @abstractmethod
    def lost(self, error: Exception | None) -> None:
        """Be told that the connection is gone, and why if that is known."""

    @property
    def is_open(self) -> bool:
        """Whether something could be sent."""
        return not self.transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send something, as soon as it can be."""
        self.transport.write(self.sealed(data))

    def sealed(self, data: bytes) -> bytes:
        """Return what goes over TCP for some data. It must be sent, and before anything else."""
        if self._tls is None:
            return data
        self._tls.write(data)
        return self._outgoing.read()

    async def writable(self) -> None:
        """Wait until what was sent is on its way, or the connection gone."""
        if self._writable is not None:
            await self._writable

    def abort(self) -> None:
        """Close without a word; what was not sent yet is dropped."""
        self.transport.abort()

    def pause(self) -> None:
        """Receive no more for now; a little may yet come."""
        self.is_paused = True
        self.transport.pause_reading()

    def resume(self) -> None:
        """Receive again, if nothing but `pause` has kept us from it."""
        if self.is_paused:
            self.is_paused = False
            self.heard = self.loop.time()  # nobody was silent who was not listened to
            if self._rest is None:
                self.transport.resume_reading()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be connected, and shake hands if TLS is spoken."""
        self.transport = cast("asyncio.Transport", transport)
        connection: socket.socket = transport.get_extra_info("socket")
        for option, level, value in _OPTIONS:
            connection.setsockopt(level, option, value)
        self.connected()
        self._shake_hands()

    def data_received(self, data: bytes) -> None:
        """Receive, and take a rest if there is much of it."""
        now = self.loop.time()
        self.heard = now
        if now >= self._window + _WINDOW:
            self._before = self._bytes if now < self._window + 2 * _WINDOW else 0
            self._window, self._bytes = now, 0
        self._bytes += len(data)
        if max(self._bytes, self._before) > _MUCH and self._rest is None:
            self.transport.pause_reading()
            self._rest = self.loop.call_at(now + _REST, self._end_rest)
        if self._tls is not None:
            self._incoming.write(data)
            data = self._decrypted(self._tls)
        if data:
            self.received(data)

    def pause_writing(self) -> None:
        """Have `writable` wait."""
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        """Have `writable` return."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Be no longer connected."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("the server closed the connection"))
            self.ready.exception()  # who waited for it may have been cancelled
        if self._rest is not None:
            self._rest.cancel()
        self.resume_writing()
        if exc is None and self._tls is not None and not self._is_ended:
            exc = ConnectionError("TLS was cut off")
        self.lost(exc)

    def _shake_hands(self) -> None:
        try:
            if self._tls is not None:
                self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.ready.set_exception(error)
            self._flush()
            self.transport.close()
            return
        else:
            self.ready.set_result(None)
        self._flush()

    def _decrypted(self, tls: ssl.SSLObject) -> bytes:
        if not self.ready.done():
            self._shake_hands()
        parts = []
        try:
            while self.ready.done() and not self._is_ended:
                part = tls.read(_RECORD)
                parts.append(part)
                self._is_ended = not part
                if not (self._incoming.pending or tls.pending()):
                    break  # rather than have OpenSSL raise an error at each answer
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            if parts:
                self.received(b"".join(parts))
                parts.clear()
            self.lost(error)
            self.abort()
        self._flush()  # TLS has things to say by itself, such as new keys
        return b"".join(parts)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())

    def _end_rest(self) -> None:
        self._rest = None
        if not self.is_paused:
            self.transport.resume_reading()
