"""Opens connections to the API server, and closes all of them with the pool."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final
from weakref import WeakSet

import aiohttp

from mcp_operator.core.transports import abort

KEEP_ALIVE: Final = 30.0
"""Seconds that an idle connection is kept. Load balancers close idle connections after a minute or
more, and a request that is sent at that moment is lost."""

_SOCKET_OPTIONS: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (
            *(("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 30)),  # seconds
            ("TCP_USER_TIMEOUT", 5000),  # milliseconds
        )
        if hasattr(socket, name)  # macOS has only TCP_KEEPINTVL
    ),
)
"""Keepalive probes, at twice the interval of Go's net.Dialer, keep firewalls from dropping quiet
connections. A connection fails if data is not acknowledged for 5 s. Otherwise, the kernel would
retry for minutes, and could deliver a write after the network recovers and another process leads.
"""


class Connector(aiohttp.TCPConnector):
    """A connection pool that leaves no connection open when it is closed.

    When the task of a request is cancelled, aiohttp begins the TLS shutdown of the connection and
    forgets it. The server may never complete the shutdown, and its socket would outlive the pool.

    Args:
        context: The TLS context of all connections.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(
            ssl=context, limit=0, keepalive_timeout=KEEP_ALIVE, socket_factory=_new_socket
        )
        self._opened: WeakSet[asyncio.Transport] = WeakSet()

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Return a connection from the pool, or a new one; see `aiohttp.BaseConnector`."""
        connection = await super().connect(*args, **kwargs)
        if isinstance(connection.transport, asyncio.Transport):
            self._opened.add(connection.transport)
        return connection

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close the pool, and abort the connections that are still being shut down."""
        await super().close(abort_ssl=abort_ssl)
        for transport in self._opened:
            abort(transport)
        await asyncio.sleep(0)  # the event loop closes their sockets in its next iteration


def _new_socket(address: Any) -> socket.socket:
    family, type_, protocol, *_ = address
    created = socket.socket(family, type_, protocol)
    created.settimeout(0)
    for option in _SOCKET_OPTIONS:
        created.setsockopt(*option)
    return created
