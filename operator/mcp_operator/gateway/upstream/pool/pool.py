"""Connections to backends, which are opened as needed, reused for a short time, and closed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Final, NamedTuple

from aiohappyeyeballs import AddrInfoType, start_connection
from aiohttp.abc import AbstractResolver

from mcp_operator.gateway.upstream.addresses import ForbiddenAddressError
from mcp_operator.gateway.upstream.pool.connection import Connection
from mcp_operator.gateway.upstream.pool.reply import Reply

CONNECT_TIMEOUT: Final = 5.0
"""Seconds to connect, including TLS; in a cluster this takes milliseconds, or fails."""

IDLE_CONNECTION: Final = 1.5
"""Seconds that an idle connection is kept. Shorter than common servers keep theirs (gunicorn 2,
uvicorn and Node 5), because a POST on a connection that the server has just closed fails."""

MAX_AGE: Final = 60.0
"""Seconds after which a connection gets no more requests, however busy it is. The address of a name
can change, and addresses are checked only when a connection is opened."""

MAX_IDLE: Final = 32
"""Idle connections to one backend."""

MAX_IDLE_IN_ALL: Final = 256
"""Idle connections to all backends: a quarter of the usual limit on open files."""

RECEIVED: Final = 64 * 1024
"""Bytes that are received at once."""

_EYEBALLS: Final = 0.25
"""Seconds until the next address of a host is tried; RFC 8305, section 8."""


class NoConnectionError(ConnectionError):
    """No connection could be opened, so the backend has not seen the request."""


class NoAddressError(NoConnectionError):
    """The backend's name does not resolve."""


class SlowConnectionError(NoConnectionError):
    """The backend did not accept a connection in time."""


class Origin(NamedTuple):
    """The destination of a request; only requests with equal origins share connections.

    Attributes:
        host: Name or address.
        port: TCP port.
        tls: The TLS context; None for an unencrypted connection.
        name: The name that the certificate must contain.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    name: str = ""


class Pool:
    """Connections to any number of backends."""

    def __init__(self, resolver: AbstractResolver) -> None:
        """Set up.

        Args:
            resolver: Returns addresses that are allowed, and refuses others.
        """
        self._resolver = resolver
        self._idle: dict[Origin, list[Connection]] = {}
        self._idle_in_all = 0
        self._open: dict[Connection, Origin] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._received = memoryview(bytearray(RECEIVED))

    async def ask(self, origin: Origin, method: str, head: bytes, body: bytes | None) -> Reply:
        """Send a request once, and return its response as soon as status and headers have arrived.

        The caller must call `close` on the response.

        Raises:
            NoConnectionError: No connection could be opened.
            ForbiddenAddressError: The name resolves to an address that must not be connected to.
            ConnectionError: The connection broke, or the response is not HTTP.
            ssl.SSLError: TLS with the backend failed, or the backend ended it with an alert.
        """
        connection = self._take(origin) or await self._connect(origin)
        return await connection.ask(method, head, body)

    def close(self) -> None:
        """Close all connections; requests in progress fail."""
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._open):
            connection.abort()

    def _take(self, origin: Origin) -> Connection | None:
        """Return the most recently used idle connection, so that the others can time out."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            self._idle_in_all -= 1
            if not idle:
                del self._idle[origin]
            if connection.is_quiet():
                return connection
            connection.abort()
        return None

    def _keep(self, connection: Connection) -> None:
        origin = self._open[connection]
        idle = self._idle.get(origin, [])
        is_old = connection.idle_since - connection.born > MAX_AGE
        if is_old or len(idle) >= MAX_IDLE or self._idle_in_all >= MAX_IDLE_IN_ALL:
            connection.abort()
            return
        self._idle[origin] = idle
        idle.append(connection)
        self._idle_in_all += 1
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(IDLE_CONNECTION, self._close_idle)

    def _lost(self, connection: Connection) -> None:
        origin = self._open.pop(connection, None)
        idle = self._idle.get(origin, []) if origin else []
        if origin and connection in idle:
            idle.remove(connection)
            self._idle_in_all -= 1
            if not idle:
                del self._idle[origin]

    def _close_idle(self) -> None:
        """Close connections that have been idle for too long, and schedule the next check."""
        loop = asyncio.get_running_loop()
        self._sweep, remaining = None, []
        for connection in [one for idle in self._idle.values() for one in idle]:
            if loop.time() - connection.idle_since >= IDLE_CONNECTION:
                connection.abort()
            else:
                remaining.append(connection.idle_since)
        if remaining:
            self._sweep = loop.call_at(min(remaining) + IDLE_CONNECTION, self._close_idle)

    async def _connect(self, origin: Origin) -> Connection:
        addresses = await self._addresses(origin)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                connected = await start_connection(addresses, happy_eyeballs_delay=_EYEBALLS)
                _, connection = await loop.create_connection(
                    lambda: Connection(self._keep, self._lost, self._received),
                    sock=connected,
                    ssl=origin.tls,
                    server_hostname=origin.name if origin.tls else None,
                )
        except ssl.SSLError:
            raise
        except TimeoutError as error:
            raise SlowConnectionError from error
        except OSError as error:
            raise NoConnectionError from error
        if connection.transport.is_closing():
            raise NoConnectionError from ConnectionError("closed at once")
        self._open[connection] = origin
        return connection

    async def _addresses(self, origin: Origin) -> list[AddrInfoType]:
        try:
            found = await self._resolver.resolve(origin.host, origin.port, socket.AF_UNSPEC)
        except ForbiddenAddressError:
            raise
        except OSError as error:
            raise NoAddressError from error
        if not found:
            raise NoAddressError
        return [
            (one["family"], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one["host"], one["port"]))
            for one in found
        ]
