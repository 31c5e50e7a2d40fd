"""Sends requests to the API server: connections, credentials, retries, load and metrics."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from mcp_operator.core.connections import Connections, Limits, NoConnectionError, Server
from mcp_operator.core.errors import OperatorError, SettingsError
from mcp_operator.core.http1 import Answer
from mcp_operator.core.instruments import RequestMetrics
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.access import Access
from mcp_operator.runtime.errors import LOST, NO_ANSWER, REFUSED, ApiError
from mcp_operator.runtime.retry import retry_delay

_PLAIN: Final = re.compile(r"[\w./:~-]*", re.ASCII)
"""Paths that need no encoding, as nearly all do."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without the server's address and our credentials."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    data: bytes | None
    limits: Limits

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
        self._connections: list[Connections] = []
        self._is_closed = False
        self._head = self._prefix = ""

    async def open(self) -> None:
        """Make the connections for the present access.

        Raises:
            SettingsError: The credentials cannot be sent.
        """
        await self._connect(self._access)

    async def close(self) -> None:
        """Close all connections; watches under way end."""
        self._is_closed = True
        for connections in self._connections:
            connections.close()

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
    async def stream(self, request: Request) -> AsyncIterator[Answer]:
        """Send a request once and give its answer, whose body is still to be read.

        Raises:
            ApiError: The server refused, or could not be reached, or the body broke off.
        """
        if asyncio.get_running_loop().time() >= self._refresh_at:
            await self._refresh(self._access)
        try:
            answer = await self._authorized(request)
            try:
                if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                    body = await answer.read()
                    raise ApiError.from_answer(answer.status, answer.headers, body, str(request))
                yield answer
            finally:
                answer.close()
        except NoConnectionError as error:
            self._metrics.answered(request.method, NO_ANSWER, 0.0)
            raise ApiError(NO_ANSWER, REFUSED, str(error), request=str(request)) from error
        except OSError as error:
            raise ApiError(NO_ANSWER, LOST, str(error), request=str(request)) from error

    async def _authorized(self, request: Request) -> Answer:
        """Send the request, and once more with a new token if the server no longer takes ours."""
        access = self._access
        answer = await self._ask(request)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            await answer.read()  # nothing is left open while the token is read
            if await self._refresh(access):
                return await self._ask(request)
        return answer

    async def _ask(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        began, pool = loop.time(), self._connections[-1]
        head, data = self._head_of(request), request.data or b""
        answer = await pool.ask(head, data, guard=self.guard, limits=request.limits)
        self._metrics.answered(request.method, answer.status, loop.time() - began)
        return answer

    def _head_of(self, request: Request) -> bytes:
        path = request.path if _PLAIN.fullmatch(request.path) else quote(request.path)
        query = f"?{_encoded(**request.query)}" if request.query else ""
        headers = "".join([f"{name}: {value}\r\n" for name, value in request.headers.items()])
        headers += f"Content-Length: {len(request.data)}\r\n" if request.data else ""
        line = f"{request.method} {self._prefix}{path}{query} HTTP/1.1"
        return f"{line}\r\n{self._head}{headers}\r\n".encode("latin-1")

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
        if replace(access, authorization=self._access.authorization) == self._access:
            self._head = _common_head(access, self._user_agent)
            self._access = access
        else:
            await self._connect(access)  # requests under way finish on the old connections

    async def _connect(self, access: Access) -> None:
        head = _common_head(access, self._user_agent)
        tls = await asyncio.to_thread(access.tls)
        server = Server.at(access.server, tls=tls, name=access.server_name, proxy=access.proxy)
        for former in self._connections:
            former.retire()
        self._connections.append(Connections(server))
        self._access, self._head, self._prefix = access, head, urlsplit(access.server).path
        if self._is_closed:
            await self.close()


@lru_cache(maxsize=16)  # of a write it is the same again and again, and a tenth of its cost
def _encoded(**query: str) -> str:
    return urlencode(query)


def _common_head(access: Access, user_agent: str) -> str:
    """Return the headers that all requests with an access have.

    Raises:
        SettingsError: A value would end its header, and begin another.
    """
    headers = {
        "Host": urlsplit(access.server).netloc.rpartition("@")[2],
        "User-Agent": user_agent,
        # Compression costs both sides more time than a cluster's network saves.
        "Accept-Encoding": "identity",
        "Authorization": access.authorization,
    }
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise SettingsError(f"the header {name} has a value that is not printable ASCII")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
