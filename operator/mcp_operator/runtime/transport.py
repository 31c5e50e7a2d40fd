"""Sends requests to the API server: session, credentials, retries, concurrency, metrics."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from yarl import URL

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.instruments import RequestMetrics
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.configuration import BEARER, ConfigurationLoader
from mcp_operator.runtime.connector import Connector
from mcp_operator.runtime.errors import LOST, NO_ANSWER, REFUSED, ApiError
from mcp_operator.runtime.kubernetes import ApiClient, Configuration
from mcp_operator.runtime.retry import retry_delay

CONNECT_TIMEOUT: Final = 10.0
"""Seconds to establish a connection."""

_BODY_CHUNK: Final = 1 << 16

_NOT_CONNECTED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)

_log = logging.getLogger(__name__)

_AWAY: Final = 2
"""Failed connections in a row before the failure is logged. A single one can be due to a server
that is being replaced, and is retried."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without the server's address and the credentials."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    data: bytes | None
    timeout: aiohttp.ClientTimeout

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Transport:
    """A session with one API server, whose credentials and CA can change.

    Args:
        load: Loads the configuration.
        configuration: The initial configuration.
        refresh_every: Seconds between reloads; a 401 triggers one at once.
        user_agent: Identifies this program to the server.
        metrics: Where requests are recorded.
        max_in_flight: The limit of concurrent requests, watches excluded.

    Attributes:
        guards: Called before each chunk of a body is sent; raise an OperatorError to prevent it.
    """

    def __init__(
        self,
        load: ConfigurationLoader,
        configuration: Configuration,
        *,
        refresh_every: float,
        user_agent: str,
        metrics: RuntimeMetrics,
        max_in_flight: int,
    ) -> None:
        self.guards: list[Callable[[], None]] = []
        self._load = load
        self._configuration = configuration
        self._refresh_every = refresh_every
        self._refresh_at = asyncio.get_running_loop().time() + refresh_every
        self._refreshing = asyncio.Lock()
        self._user_agent = user_agent
        self._metrics = RequestMetrics(metrics, urlsplit(str(configuration.host)).netloc)
        self._slots = asyncio.Semaphore(max_in_flight)
        self._clients: list[ApiClient] = []
        self._settings: tuple[Any, ...] = ()
        self._refusals = 0
        self._away_since = 0.0

    async def open(self) -> None:
        """Create the session.

        Raises:
            OSError: A certificate or key cannot be read or is invalid (`ssl.SSLError`).
        """
        await self._switch_to(self._configuration)

    async def close(self) -> None:
        """Close all connections, which ends running watches."""
        for client in self._clients:
            await client.close()

    async def send(self, request: Request) -> bytes:
        """Send a request, retry it if that is safe, and return the response body.

        Raises:
            ApiError: The server rejected the request or is unreachable.
            OperatorError: The guard rejected the write.
        """
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            queued = loop.time()
            try:
                async with self._slots:
                    self._metrics.waited(request.method, loop.time() - queued)
                    async with self.stream(request) as response:
                        return await response.read()
            except ApiError as error:
                delay = retry_delay(request.method, attempt, error)
                if delay is None:
                    raise
                self._metrics.retried(request.method, error.status)
            attempt += 1
            await asyncio.sleep(delay)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request once, and yield the response before its body is read.

        Raises:
            ApiError: The server rejected the request, is unreachable, or closed the connection.
            OperatorError: The guard rejected the write.
        """
        if asyncio.get_running_loop().time() >= self._refresh_at:
            await self._refresh(self._configuration)
        try:
            response = await self._authorized(request)
            try:
                if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                    body = await response.read()
                    raise ApiError.from_response(
                        response.status, response.headers, body, str(request)
                    )
                yield response
            finally:
                _abort(response)
        except _NOT_CONNECTED as error:
            self._metrics.answered(request.method, NO_ANSWER, 0.0)
            self._note_refusal(error)
            raise ApiError(NO_ANSWER, REFUSED, str(error), request=str(request)) from error
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            if isinstance(error.__cause__, OperatorError):  # the guard's, raised while sending
                raise error.__cause__ from None
            text = str(error) or "the server did not respond in time"
            raise ApiError(NO_ANSWER, LOST, text, request=str(request)) from error

    async def _authorized(self, request: Request) -> aiohttp.ClientResponse:
        """Send a request, and again with a new token if the server rejects the current one."""
        configuration = self._configuration
        response = await self._request(request)
        if response.status == HTTPStatus.UNAUTHORIZED:
            await response.read()
            if await self._refresh(configuration):
                return await self._request(request)
        return response

    async def _request(self, request: Request) -> aiohttp.ClientResponse:
        loop, configuration = asyncio.get_running_loop(), self._configuration
        headers = dict(request.headers)
        if token := configuration.api_key.get(BEARER):
            headers["Authorization"] = token
        body = None
        if request.data:
            headers["Content-Length"] = str(len(request.data))
            body = self._guarded(request.data)
        proxy, proxy_headers = _proxy(configuration.proxy)
        began = loop.time()
        # Not `call_api`, which encodes bodies and decodes responses.
        response: aiohttp.ClientResponse
        response = await self._clients[-1].rest_client.pool_manager.request(
            request.method,
            _url(configuration.host, request),
            headers=headers,
            data=body,
            timeout=request.timeout,
            allow_redirects=False,
            proxy=proxy,
            proxy_headers=proxy_headers,
            server_hostname=configuration.tls_server_name,
        )
        self._metrics.answered(request.method, response.status, loop.time() - began)
        if self._refusals >= _AWAY:
            seconds = round(loop.time() - self._away_since, 1)
            _log.info("The API server can be reached again", extra={"seconds": seconds})
        self._refusals = 0
        return response

    def _note_refusal(self, error: Exception) -> None:
        """Count a failed connection; log once that the API server cannot be reached."""
        self._refusals += 1
        if self._refusals == _AWAY:
            self._away_since = asyncio.get_running_loop().time()
            _log.warning("The API server cannot be reached", extra={"error": str(error)})

    async def _guarded(self, body: bytes) -> AsyncIterator[bytes]:
        """Yield a body in chunks; the session fetches each one right before sending it.

        A body that can be read only once also keeps aiohttp from resending a PUT or DELETE on its
        own when a reused connection turns out to be closed.
        """
        for start in range(0, len(body), _BODY_CHUNK):
            for guard in self.guards:
                guard()
            yield body[start : start + _BODY_CHUNK]

    async def _refresh(self, used: Configuration) -> bool:
        """Reload the configuration, unless another task just did; return whether it changed."""
        async with self._refreshing:
            if self._configuration is used:
                self._refresh_at = asyncio.get_running_loop().time() + self._refresh_every
                try:
                    await self._switch_to(await self._load())
                except (OperatorError, OSError) as error:
                    _log.warning(
                        "Cannot reload the credentials; the current ones stay in use",
                        extra={"error": str(error)},
                    )
            return self._configuration is not used

    async def _switch_to(self, configuration: Configuration) -> None:
        settings = await asyncio.to_thread(_connection_settings, configuration)
        if settings != self._settings:
            context = await asyncio.to_thread(_tls, configuration)
            # Requests and watches in progress finish on the old connections.
            self._clients.append(await _api_client(configuration, context, self._user_agent))
            self._settings = settings
        elif configuration.api_key == self._configuration.api_key:
            return
        self._configuration = configuration


def _abort(response: aiohttp.ClientResponse) -> None:
    """Close the connection of a response that was not read to its end, without a TLS shutdown.

    aiohttp does not wait for the shutdown, so the transport would outlive the session.
    """
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


def _url(host: str | None, request: Request) -> URL:
    query = f"?{urlencode(request.query)}" if request.query else ""
    return URL(f"{host}{quote(request.path)}{query}", encoded=True)


def _proxy(url: str | None) -> tuple[URL | None, dict[str, str]]:
    """Separate a proxy's URL and credentials, which aiohttp's errors would otherwise show."""
    if not url:
        return None, {}
    proxy = URL(url)
    if proxy.user is None:
        return proxy, {}
    credentials = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
    return proxy.with_user(None), {"Proxy-Authorization": credentials}


def _connection_settings(configuration: Configuration) -> tuple[Any, ...]:
    """Return everything that requires new connections when it changes; reads files."""
    files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    return (
        *(configuration.host, configuration.proxy, configuration.tls_server_name),
        *(configuration.verify_ssl, *(Path(file).read_bytes() if file else b"" for file in files)),
    )


def _tls(configuration: Configuration) -> ssl.SSLContext:
    """Build the TLS context; reads files and takes tens of milliseconds."""
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    # Many cluster CAs lack extensions that Python 3.13 requires and client-go does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _api_client(
    configuration: Configuration, context: ssl.SSLContext, user_agent: str
) -> ApiClient:
    """Create a client with a session of our own.

    The library's session reads `~/.netrc` and the environment for each request, which costs more
    than the request. It has neither keepalive nor a limit for unacknowledged data.
    """
    client = ApiClient(configuration)
    await client.rest_client.close()
    client.rest_client.pool_manager = aiohttp.ClientSession(
        connector=Connector(context),
        # Compression costs both sides more time than it saves on a cluster's network.
        headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )
    return client
