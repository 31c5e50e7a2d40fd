"""Listens on one address with aiohttp's low-level server, and limits the open connections."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web

from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.front import unread
from mcp_operator.gateway.front.certificate import Certificate
from mcp_operator.gateway.front.connection import (
    HEAD_SECONDS,
    LINGERING_SECONDS,
    Connection,
    QuietRequest,
)
from mcp_operator.gateway.front.places import Places, Seldom, client_of
from mcp_operator.gateway.front.unread import Unread

log = logging.getLogger(__name__)

BACKLOG: Final = 512
"""Connections that the kernel queues until the gateway accepts them."""

AT_ONCE: Final = 64
"""Connections that are accepted in one turn of the event loop. Under load, turns are slow, and
connections arrive faster than turns: with one per turn, the others would wait for seconds."""

ACCEPT_PAUSE: Final = 1.0
"""Seconds until the next attempt after the system could not accept a connection."""

_SHORTEST_GRACE: Final = 0.01
"""Seconds; aiohttp takes 0 for "wait forever"."""

_TOO_MANY: Final = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class _Opened:
    server: web.Server
    sockets: list[socket.socket]
    accepting: TaskSet


class Listener:
    """Listens on one address and passes every request to one function.

    A handler is cancelled when its client disconnects, because that is how clients cancel requests
    in MCP 2026-07-28. At the limit of connections, new ones wait in the kernel until one closes.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        places: Places | None = None,
    ) -> None:
        """Set up a listener.

        Args:
            handler: Answers the requests.
            places: Limits the connections.
        """
        self._handler = handler
        self._places = places or Places()
        self._unread = Unread(unread.MAX_UNREAD)
        self._opened: _Opened | None = None
        self._port: int | None = None
        self._told_full, self._told_greedy, self._told_failing = Seldom(), Seldom(), Seldom()

    @property
    def port(self) -> int:
        """The port of this listener, or its last port after it has stopped.

        Raises:
            RuntimeError: The listener has never been started.
        """
        if self._port is None:
            raise RuntimeError("the listener has not been started")
        return self._port

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._opened.server.connections) if self._opened else 0

    async def start(
        self, host: str, port: int, tls: Certificate | None = None, *, shared: bool = False
    ) -> None:
        """Start to listen; port 0 picks a free one.

        Args:
            host: The address.
            port: The port.
            tls: The certificate to present; None for plain HTTP.
            shared: Whether other processes of the same user can listen there too.

        Raises:
            OSError: The address cannot be used.
        """
        loop = asyncio.get_running_loop()
        # asyncio is used only to bind every address of the host. Its own accept loop has no limit
        # on connections, and busy-loops when no file descriptor is left.
        bound = await loop.create_server(
            asyncio.Protocol, host, port, reuse_port=shared or None, start_serving=False
        )
        sockets = [one.dup() for one in bound.sockets]
        bound.close()
        try:
            for one in sockets:
                one.settimeout(0)
                one.listen(BACKLOG)
        except OSError:
            _close(sockets)
            raise
        self._port = int(sockets[0].getsockname()[1])
        server = web.Server(
            self._serve,
            handler_cancellation=True,
            request_factory=lambda message, payload, protocol, writer, task: QuietRequest(
                message, payload, protocol, writer, task, loop
            ),
        )
        accepting = TaskSet()
        for one in sockets:
            accepting.start("accept connections", self._accept(one, server, tls, accepting))
        self._opened = _Opened(server, sockets, accepting)

    async def stop(self, grace: float) -> None:
        """Stop accepting, let handlers finish for `grace` seconds, and cancel the rest.

        Does nothing if the listener is not running.
        """
        if self._opened is None:
            return
        opened, self._opened = self._opened, None
        await opened.accepting.close()
        _close(opened.sockets)
        await asyncio.sleep(0)  # handlers of requests that are already read start first
        opened.server.pre_shutdown()
        leaving = opened.server.connections
        await opened.server.shutdown(max(grace, _SHORTEST_GRACE))
        for connection in leaving:  # after its close_notify, TLS would wait for the client's
            assert isinstance(connection, Connection)  # noqa: S101  # as `_connect` made it
            connection.cut()
        await asyncio.sleep(0)  # lets the event loop close them

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)  # noqa: S101  # as `_connect` made it
        assert isinstance(request, QuietRequest)  # noqa: S101  # as the factory made it
        connection.begin(request.content)
        try:
            if request.claimed_version != request.version:
                answer: web.StreamResponse = web.Response(status=400, text="Speak HTTP/1.1\n")
                answer.force_close()
            else:
                answer = await self._handler(request)
        finally:
            connection.end()
        if not request.content.is_eof() or "upgrade" in request.headers:
            # The rest of a body must not be read as a new request. And after an upgrade request,
            # aiohttp's parser drops the bytes that came in the same packet.
            answer.force_close()
        return answer

    async def _accept(
        self,
        listening: socket.socket,
        server: web.Server,
        tls: Certificate | None,
        tasks: TaskSet,
    ) -> None:
        """Accept connections while there are places for them."""
        loop = asyncio.get_running_loop()
        for number in itertools.count(1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # while connections are queued, nothing else here yields
            if self._places.full and self._told_full.due():
                log.warning(
                    "The limit of open connections is reached; new ones wait",
                    extra={"port": self._port, "connections": self._places.shares.total},
                )
            await self._places.free()
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:
                if self._told_failing.due():
                    log.warning(
                        "Cannot accept connections; retrying every second",
                        extra={"port": self._port, "error": error.strerror},
                    )
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            client = client_of(address[0])
            if not self._places.enter(client):
                self._refuse(accepted, client, plain=tls is None)
            else:  # in a task of its own, because a client can delay its handshake
                context = tls.context if tls is not None else None
                tasks.start("connect", self._connect(accepted, client, server, context))

    def _refuse(self, accepted: socket.socket, client: str, *, plain: bool) -> None:
        if self._told_greedy.due():
            log.warning(
                "A client reached its limit of connections; refusing more",
                extra={"port": self._port, "client": client, "most": self._places.shares.each},
            )
        with suppress(OSError):
            if plain:
                accepted.send(_TOO_MANY)
        accepted.close()

    async def _connect(
        self,
        accepted: socket.socket,
        client: str,
        server: web.Server,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        leave = partial(self._places.leave, client)
        connection = Connection(server, loop=loop, unread=self._unread, left=leave)
        try:
            await loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=HEAD_SECONDS if tls else None,
                ssl_shutdown_timeout=LINGERING_SECONDS if tls else None,
            )
        except OSError:  # the client disconnected already, or does not speak TLS
            if connection.never_made:
                leave()
        finally:
            if connection.never_made:
                accepted.close()


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()
