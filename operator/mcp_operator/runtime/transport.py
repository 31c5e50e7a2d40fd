"""Sends requests to the API server: connections, credentials, retries, load and metrics."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.instruments import RequestMetrics
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.access import Access
from mcp_operator.runtime.errors import LOST, NO_ANSWER, REFUSED, ApiError
from mcp_operator.runtime.retry import retry_delay

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for a connection to come about."""

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
"""Probes keep firewalls from forgetting quiet watches; twice the times of Go's net.Dialer.

What a broken network holds up is given up after 5 s. The kernel would try for minutes, even when
the process has ended, and a write would arrive when the network is back and another leads.
"""

_PART: Final = 1 << 16
"""Bytes of a body that are sent at a time."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without the server's address and our credentials."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    data: bytes | None
    timeout: aiohttp.ClientTimeout

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


AccessLoader = Callable[[], Awaitable[Access]]
"""Reads the access anew. Raises an OperatorError where it cannot be read."""


class Transport:
    """Connections to one API server, whose credentials and CA may change under way.

    Args:
        load: Reads the access.
        access: What it read first.
        refresh_every: Seconds after which it is read again; a 401 makes it read at once.
        user_agent: Names this program to the server.
        metrics: Where requests are measured.
        max_in_flight: Requests at a time, watches not counted.

    Attributes:
        guard: Is asked before anything of a body leaves this process, and raises an OperatorError
            if it must not.
    """

    def __init__(
        self,
        load: AccessLoader,
        access: Access,
        *,
        refresh_every: float,
        user_agent: str,
        metrics: RuntimeMetrics,
        max_in_flight: int,
    ) -> None:
        self.guard: Callable[[], None] = lambda: None
        self._load = load
        self._access = access
        self._refresh_every = refresh_every
        self._refresh_at = asyncio.get_running_loop().time() + refresh_every
        self._refreshing = asyncio.Lock()
        self._user_agent = user_agent
        self._metrics = RequestMetrics(metrics, access.host)
        self._slots = asyncio.Semaphore(max_in_flight)
        self._sessions: list[aiohttp.ClientSession] = []

    async def open(self) -> None:
        """Make the connection pool for the present access."""
        tls = await asyncio.to_thread(self._access.tls)
        connector = aiohttp.TCPConnector(limit=0, ssl=tls, socket_factory=_socket)
        session = aiohttp.ClientSession(
            connector=connector,
            trust_env=False,
            # Compression costs both sides more time than a cluster's network saves.
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
        )
        self._sessions.append(session)

    async def close(self) -> None:
        """Close all connections; watches under way end."""
        for session in self._sessions:
            await session.close()
        self._sessions.clear()

    async def send(self, request: Request) -> bytes:
        """Send a request, again where that is safe, and return the answer's body.

        Raises:
            ApiError: The server refused, or could not be reached.
            OperatorError: The guard refused; then nothing is sent any more.
        """
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            asked = loop.time()
            try:
                async with self._slots:
                    self._metrics.waited(request.method, loop.time() - asked)
                    async with self.stream(request) as answer:
                        return await answer.read()
            except ApiError as error:
                delay = retry_delay(request.method, attempt, error)
                if delay is None:
                    raise
                self._metrics.retried(request.method, error.status)
            attempt += 1
            await asyncio.sleep(delay)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request once and give its answer, whose body is still to be read.

        Raises:
            ApiError: The server refused, or could not be reached, or the body broke off.
        """
        if asyncio.get_running_loop().time() >= self._refresh_at:
            await self._refresh(self._access)
        try:
            async with self._authorized(request) as answer:
                if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                    body = await answer.read()
                    raise ApiError.from_answer(
                        answer.status, answer.headers, body, request=str(request)
                    )
                try:
                    yield answer
                finally:
                    _abandon(answer)
        except aiohttp.ClientConnectorError as error:
            self._metrics.answered(request.method, NO_ANSWER, 0.0)
            raise ApiError(NO_ANSWER, REFUSED, str(error), request=str(request)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error.__cause__, OperatorError):
                raise error.__cause__ from None  # the guard's, wrapped by aiohttp
            text = str(error) or "the API server did not answer in time"
            raise ApiError(NO_ANSWER, LOST, text, request=str(request)) from error

    @asynccontextmanager
    async def _authorized(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send the request, and once more with a new token if the server no longer takes ours."""
        loop = asyncio.get_running_loop()
        for is_last in (False, True):
            access = self._access
            query = f"?{_encoded(**request.query)}" if request.query else ""
            token = {"Authorization": access.authorization} if access.authorization else {}
            length = {"Content-Length": str(len(request.data))} if request.data else {}
            began = loop.time()
            async with self._sessions[-1].request(
                request.method,
                URL(access.server + request.path + query, encoded=True),
                data=self._body(request.data) if request.data else None,
                headers={**request.headers, **token, **length},
                timeout=request.timeout,
                proxy=access.proxy or None,
                server_hostname=access.server_name or None,
                allow_redirects=False,
            ) as answer:
                self._metrics.answered(request.method, answer.status, loop.time() - began)
                refused = answer.status == HTTPStatus.UNAUTHORIZED and not is_last
                if not (refused and await self._refresh(access)):
                    yield answer
                    return

    async def _body(self, data: bytes) -> AsyncIterator[bytes]:
        """Give a body to aiohttp, which asks for it when there is a connection to write it to.

        Headers wait for the first part. A body that was asked for is never sent a second time.
        """
        for start in range(0, len(data), _PART):
            self.guard()
            yield data[start : start + _PART]

    async def _refresh(self, used: Access) -> bool:
        """Read the access again, unless another task just did; tell whether it is a new one."""
        async with self._refreshing:
            if self._access is used:
                self._refresh_at = asyncio.get_running_loop().time() + self._refresh_every
                try:
                    await self._take(await self._load())
                except OperatorError as error:
                    _log.warning(
                        "Credentials could not be read; the old ones stay in use",
                        extra={"error": str(error)},
                    )
            return self._access is not used

    async def _take(self, access: Access) -> None:
        if access == self._access:
            return
        same_connections = replace(access, authorization=self._access.authorization) == self._access
        self._access = access
        if not same_connections:
            # Requests under way finish on the old connections, which then idle out.
            await self.open()


@lru_cache(maxsize=16)  # of a write it is the same again and again, and a tenth of its cost
def _encoded(**query: str) -> str:
    return urlencode(query)


def _abandon(answer: aiohttp.ClientResponse) -> None:
    """Drop the connection of an answer that was not read to its end, as of a watch that is left.

    A polite end of TLS would wait for the server, and nothing waits for that at shutdown.
    """
    if answer.connection is not None and answer.connection.transport is not None:
        answer.connection.transport.abort()


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    for option, level, value in _OPTIONS:
        made.setsockopt(level, option, value)
    return made
