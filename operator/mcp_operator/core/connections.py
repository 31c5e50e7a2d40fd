"""The connections to one HTTP server: made as they are needed, kept, and given up."""

from __future__ import annotations

import asyncio
import base64
import math
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

from aiohappyeyeballs import start_connection

from mcp_operator.core.errors import SettingsError
from mcp_operator.core.http1 import Answer, Connection

IDLE: Final = 30.0
"""Seconds after which a connection is not used again: servers and balancers close idle ones, and
a request that crosses that is lost. The shortest such time of the large clouds is 60 s."""

_EYEBALLS: Final = 0.25
"""Seconds until the next address of a host is tried; RFC 8305, section 8."""


class NoConnectionError(ConnectionError):
    """No connection came about, so the server has certainly not seen the request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take.

    Attributes:
        connect: Seconds for a new connection.
        total: Seconds for all of it, the connection and the body included; None for a stream.
        silence: Seconds without a byte of the answer; None where `total` is enough.
    """

    connect: float = 10.0
    total: float | None = None
    silence: float | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect to.

    Attributes:
        host: Name or address.
        port: TCP port.
        tls: Without it, plain text is spoken.
        name: What the certificate must be for; the host if empty.
        proxy: URL of the HTTP proxy that is asked for a tunnel; none if empty.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    name: str = ""
    proxy: str = ""

    @property
    def authority(self) -> str:
        """Host and port as requests name them (RFC 3986, 3.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def at(
        cls, url: str, *, tls: ssl.SSLContext | None = None, name: str = "", proxy: str = ""
    ) -> Server:
        """Take a server from its URL, and a proxy that may lack the `http://`, as with curl.

        Raises:
            SettingsError: One of the addresses cannot be used.
        """
        if proxy and "://" not in proxy:
            proxy = f"http://{proxy}"
        try:
            server, via = urlsplit(url), urlsplit(proxy)
            port, _ = server.port or (443 if server.scheme == "https" else 80), via.port
        except ValueError as error:
            raise SettingsError(f"{url} cannot be connected to: {error}") from error
        if via.scheme not in {"", "http", "https"}:
            raise SettingsError(f"a proxy must be one for HTTP, not for {via.scheme}")
        return cls(server.hostname or "", port, tls, name, proxy)


class Connections:
    """The connections to one server: as many as there are requests at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._is_retired = self._is_closed = False

    async def ask(
        self, head: bytes, body: bytes = b"", *, guard: Callable[[], None], limits: Limits
    ) -> Answer:
        """Send a request once, and return its answer when status and headers have come.

        Whoever asks calls `close` on the answer in the end.

        Args:
            head: The request line and all headers, with the empty line.
            body: What Content-Length announces.
            guard: Asked before each part of a body is sent, when there is a connection; it raises
                to prevent that.
            limits: How long it may take.

        Raises:
            NoConnectionError: No connection came about.
            ConnectionError: The connection broke, or what came is no HTTP.
            TimeoutError: It took too long.
        """
        began = asyncio.get_running_loop().time()
        connection = self._take() or await self._connect(limits)
        spent = connection.loop.time() - began
        within = None if limits.total is None else max(0.0, limits.total - spent)
        return await connection.ask(head, body, guard, within=within, silence=limits.silence)

    def retire(self) -> None:
        """Let requests under way finish, and keep no connection after that."""
        self._is_retired = True
        for connection in self._idle:
            connection.abort()

    def close(self) -> None:
        """Close all connections; what is under way fails."""
        self._is_retired = self._is_closed = True
        for connection in self._open:
            connection.abort()

    def add(self, connection: Connection) -> None:
        """Take note of a connection."""
        self._open.add(connection)
        if self._is_closed:
            connection.abort()

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose request is answered."""
        if self._is_retired:
            connection.abort()
        else:
            self._idle.append(connection)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _take(self) -> Connection | None:
        """Return the connection that was used last: the others may rest until they are closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.loop.time() - connection.idle_since < IDLE:
                return connection
            connection.abort()
        return None

    async def _connect(self, limits: Limits) -> Connection:
        server = self._server
        seconds = min(limits.connect, limits.total or math.inf)
        try:
            async with asyncio.timeout(seconds):  # wait_for may lose a cancellation before 3.12
                connection = await self._connected()
        except TimeoutError as error:
            text = f"no connection to {server.host}:{server.port} within {seconds:g} s"
            raise NoConnectionError(text) from error
        except (OSError, UnicodeError) as error:  # a host that is no name is the second
            text = f"no connection to {server.host}:{server.port}: {error}"
            raise NoConnectionError(text) from error
        if not connection.is_open:
            raise NoConnectionError(f"{server.host}:{server.port} closed a new connection at once")
        return connection

    async def _connected(self) -> Connection:
        server = self._server
        connection = Connection(self, server.tls, server.name or server.host)
        if server.proxy:
            tunnel = await self._tunnel()
            tunnel.set_protocol(connection)
            connection.connection_made(tunnel)
        else:
            await _open(connection, server.host, server.port)
        try:
            await connection.ready
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _tunnel(self) -> asyncio.Transport:
        """Have the proxy connect to the server (RFC 9110, 9.3.6)."""
        proxy = urlsplit(self._server.proxy)
        is_secure = proxy.scheme == "https"
        tunnel = _Tunnel(self)
        port = proxy.port or (443 if is_secure else 80)
        await _open(tunnel, proxy.hostname or "", port, is_secure=is_secure)
        target = self._server.authority
        head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
        if proxy.username is not None:
            login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            head += f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"
        answer = await tunnel.ask(
            f"{head}\r\n".encode(), b"", lambda: None, within=None, silence=None
        )
        if answer.status != HTTPStatus.OK:
            tunnel.abort()
            raise ConnectionError(f"the proxy answered with HTTP status {answer.status}")
        return tunnel.leave()


class _Tunnel(Connection):
    """A connection to a proxy, which never carries a request of the pool's."""

    def done(self, *, reusable: bool) -> None:  # noqa: ARG002  # what follows is not HTTP
        """Neither keep nor close: what the head announces of a body is void (RFC 9110, 9.3.6)."""
        self._answer = None


async def _open(connection: Connection, host: str, port: int, *, is_secure: bool = False) -> None:
    """Connect to the first address of a host that answers.

    asyncio's own way of that leaves sockets open when it is cancelled, before Python 3.12.
    """
    loop = connection.loop
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    connected = await start_connection(addresses, happy_eyeballs_delay=_EYEBALLS)
    await loop.create_connection(
        lambda: connection,
        sock=connected,
        ssl=is_secure or None,
        server_hostname=host if is_secure else None,
    )
