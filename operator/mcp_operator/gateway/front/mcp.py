"""The MCP port: connects aiohttp to the protocol core."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion11, web

from mcp_operator.api.catalog import ServerSettings
from mcp_operator.core import guides
from mcp_operator.gateway.front.answer import Answer
from mcp_operator.gateway.front.certificate import Certificate
from mcp_operator.gateway.front.connection import Connection
from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.front.places import Places, client_of
from mcp_operator.gateway.front.refusals import Refusals
from mcp_operator.gateway.lag import LagWatch
from mcp_operator.gateway.protocol.endpoint import Endpoint
from mcp_operator.gateway.protocol.message import HttpRequest, HttpStream
from mcp_operator.gateway.shares import Shares

log = logging.getLogger(__name__)

BODY_SECONDS: Final = 30.0
"""Minimum time that a client gets to send a body."""

BODY_RATE: Final = 64 * 1024
"""A client gets one more second for each of these many bytes of a body (like MinRate of Apache's
mod_reqtimeout). So a client with 512 kbit/s can send a body of any allowed size in time."""

MAX_BODIES: Final = 64 * 1024 * 1024
"""Bytes of all request bodies, from their arrival until the responses; at least twice
`maxRequestBytes`. Decoded bodies take several times as much memory."""

_REFUSED: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

PARTING_INTERVAL: Final = 0.05
"""Seconds between checks whether the last client has left."""

_FOR_PEOPLE: Final = (
    "This is the endpoint of an MCP server, which a browser cannot show. Add this URL to an MCP "
    f"client:\n{guides.CONNECT}\n"
)

_NONE: Final[frozenset[str]] = frozenset()


class Front:
    """Serves an endpoint at the paths of its server."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: Callable[[], ServerSettings],
        places: Places,
        lag: LagWatch,
    ) -> None:
        """Set up a front.

        Args:
            endpoint: Answers the requests.
            settings: Returns the current paths and the current limit on bodies.
            places: Limits the connections.
            lag: Measures the delay of the event loop.
        """
        self._endpoint = endpoint
        self._settings = settings
        self._leaving = False
        self._bodies = Shares(MAX_BODIES)
        self._refusals = Refusals(lag)
        self._listener = Listener(self._handle, places)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._listener.port

    @property
    def connections(self) -> int:
        """The number of open client connections."""
        return self._listener.connections

    async def start(
        self, host: str, port: int, tls: Certificate | None = None, *, shared: bool = False
    ) -> None:
        """Start to listen, like `Listener.start`.

        Raises:
            OSError: The address cannot be used.
        """
        await self._listener.start(host, port, tls, shared=shared)

    async def part(self, seconds: float) -> None:
        """Ask every client with an open connection to close it, and wait until they have.

        If the gateway closes a connection while a request is in transit, the request is lost. The
        client must not repeat a POST, because it cannot know whether it was processed (RFC 9110
        §9.2.2). So from now on, each response asks the client to close its connection. New
        connections are still accepted.

        Args:
            seconds: The longest time to wait.
        """
        self._leaving = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._listener.connections:  # noqa: ASYNC110  # aiohttp reports no departures
                    await asyncio.sleep(PARTING_INTERVAL)

    async def stop(self, grace: float) -> None:
        """Stop accepting, let requests finish for `grace` seconds, and cancel the rest."""
        await self._listener.stop(grace)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = await self._answer(request)
        if self._leaving:
            answer.force_close()
        if answer.status in _REFUSED and answer.keep_alive is not False:
            connection = request.protocol
            assert isinstance(connection, Connection)  # noqa: S101  # as the listener made it
            connection.rest(self._refusals.rest())
        return answer

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        paths = self._settings().paths
        if (request.path.rstrip("/") or "/") not in paths:
            if (metadata := self._endpoint.metadata(_head(request))) is not None:
                return Answer(metadata)
            return web.Response(status=404, text=f"MCP is served at {', '.join(paths)}\n")
        if _is_navigation(request):
            return web.Response(status=406, text=_FOR_PEOPLE)
        return await self._serve(request)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        codings = ", ".join(request.headers.getall("transfer-encoding", ()))
        if codings and (codings.lower() != "chunked" or request.version < HttpVersion11):
            return _last(400, "The only supported transfer coding is chunked\n")
        if not request.content.is_eof() and (refusal := await self._invite(request)) is not None:
            return refusal
        answer = await self._handled(request)
        return await _stream(request, answer) if isinstance(answer, HttpStream) else answer

    async def _handled(self, request: web.BaseRequest) -> web.StreamResponse | HttpStream:
        """Read the body and answer. The body is released as soon as the request is handled."""
        client = _client(request)
        body = await self._read(request, client)
        if isinstance(body, web.Response):
            return body
        early = _EarlyStream(request)
        try:
            answer = await self._endpoint.handle(_head(request, body, early.begin))
            if early.response is not None:
                return await early.response
        finally:
            self._bodies.give_back(client, len(body))
        return answer if isinstance(answer, HttpStream) else Answer(answer)

    async def _invite(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Ask the client to send the body, or return a response that does not need it."""
        limit = self._settings().max_request_bytes
        if (request.content_length or 0) > limit:
            return _too_large(limit)
        if (refused := await self._endpoint.refused(_head(request))) is not None:
            return Answer(refused)
        expected = ", ".join(request.headers.getall("expect", ()))
        if not expected or request.version < HttpVersion11:  # RFC 9110 §10.1.1
            return None
        if expected.lower() != "100-continue":
            return web.Response(status=417, text="The only supported expectation is 100-continue\n")
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the response itself has not begun
        return None

    async def _read(self, request: web.BaseRequest, client: str) -> bytes | web.Response:
        """Return the body, or the response to a body that is too large, too slow or invalid.

        A returned body counts towards the client's share until it is given back.
        """
        limit = self._settings().max_request_bytes
        self._bodies.total = max(MAX_BODIES, 2 * limit)  # one body of any client fits
        if request.content.is_eof():  # it came with the head, which is the usual case
            whole = request.content.read_nowait()
            if len(whole) > limit:
                return _too_large(limit)
            return whole if self._bodies.take(client, len(whole)) else _busy()
        body, problem = bytearray(), None
        until = asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(until) as deadline:
                async for chunk in request.content.iter_any():
                    if len(body) + len(chunk) > limit:
                        problem = _too_large(limit)
                        break
                    if not self._bodies.take(client, len(chunk)):
                        problem = _busy()
                        break
                    body += chunk
                    if not request.content.is_eof():
                        deadline.reschedule(until + len(body) / BODY_RATE)
                else:
                    return bytes(body)
        except TimeoutError:
            seconds = BODY_SECONDS + len(body) / BODY_RATE
            problem = _last(
                408, f"Of the body, {len(body)} bytes came within {seconds:.0f} seconds\n"
            )
        except web.RequestPayloadError:
            problem = _last(400, "The body is not valid HTTP/1.1 (RFC 9112)\n")
        except BaseException:  # the client disconnected
            self._bodies.give_back(client, len(body))
            raise
        self._bodies.give_back(client, len(body))
        return problem


def _is_navigation(request: web.BaseRequest) -> bool:
    """Tell whether a person opened the URL in a browser: MCP clients never accept HTML."""
    accept = request.headers.get("accept", "")
    return request.method in ("GET", "HEAD") and "text/html" in accept and "event" not in accept


def _client(request: web.BaseRequest) -> str:
    """Return the key of a client before it is authenticated: its address."""
    return client_of(request.remote or "")


def _head(
    request: web.BaseRequest,
    body: bytes = b"",
    begin: Callable[[HttpStream], None] | None = None,
) -> HttpRequest:
    """Return a request with its body, or only its head."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    repeated = _NONE if len(headers) == len(request.headers) else _join_repeated(request, headers)
    if not request.raw_path.startswith("/"):  # an absolute URL overrides Host (RFC 9112 §3.2.2)
        with contextlib.suppress(ValueError):  # for `*`, the URL would contain an invalid Host
            headers["host"] = request.url.raw_authority
    return HttpRequest(
        request.method,
        headers,
        repeated,
        body,
        path=request.path,
        scheme=request.scheme,
        address=_client(request),
        begin=begin,
    )


def _join_repeated(request: web.BaseRequest, headers: dict[str, str]) -> frozenset[str]:
    """Join the values of each repeated header into one; returns the names of these headers."""
    times = Counter(name.lower() for name, _ in request.headers.items())
    repeated = {name for name, came in times.items() if came > 1}
    for name in repeated:
        headers[name] = ("; " if name == "cookie" else ", ").join(request.headers.getall(name))
    return frozenset(repeated)


def _too_large(limit: int) -> web.Response:
    return _last(413, f"The body is larger than the {limit} bytes allowed\n")


def _busy() -> web.Response:
    answer = _last(503, "This server is receiving too many request bodies; try again\n")
    answer.headers["Retry-After"] = "1"
    return answer


def _last(status: int, text: str) -> web.Response:
    """Return a response after which the connection must be closed."""
    response = web.Response(status=status, text=text)
    response.force_close()
    return response


class _EarlyStream:
    """Sends a response that begins while the request is still being handled.

    Attributes:
        response: A task that ends once the whole response is sent; None if none has begun.
    """

    __slots__ = ("_request", "response")

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.response: asyncio.Task[web.StreamResponse] | None = None

    def begin(self, stream: HttpStream) -> None:
        """Start to send a stream."""
        self.response = asyncio.create_task(_stream(self._request, stream), name="early stream")


async def _stream(request: web.BaseRequest, answer: HttpStream) -> web.StreamResponse:
    response = web.StreamResponse(headers=answer.headers)
    try:
        await response.prepare(request)
        async for frame in answer.frames:
            await response.write(frame)
        await response.write_eof()
    except ConnectionError:
        log.debug("The client of an event stream disconnected")
    finally:
        await answer.frames.aclose()
    return response
