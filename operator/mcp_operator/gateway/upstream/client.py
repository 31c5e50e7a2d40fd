"""The HTTP client to backends: one pooled session that follows nothing and trusts nothing.

No redirects, no cookies, no proxies or credentials from the environment, and no more of an answer
is held than its limit. Deadlines are the caller's: cancelling `send` closes the
connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import ssl
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, Any, Literal, Protocol, Self, cast

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from mcp_operator.api.hosts import is_outside, is_service_host
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.upstream.addresses import (
    DEFAULT_DOMAIN,
    ForbiddenAddressError,
    GuardedResolver,
    Overrides,
    check_address,
)
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.names import SystemResolver
from mcp_operator.gateway.upstream.reading import (
    UNLIMITED,
    StreamLimits,
    TooLargeError,
    read_answer,
)

CONNECT_TIMEOUT = 5.0
"""Seconds for the TCP connection: in a cluster it takes milliseconds or never happens."""

IDLE_CONNECTION = 1.5
"""Seconds that an idle connection is kept: shorter than common servers keep theirs (gunicorn 2,
uvicorn and Node 5), because a POST on a connection that the other side just closed is an error."""

MAX_TLS_CONTEXTS = 256
"""TLS contexts kept; one is made per distinct CA."""

_NARROW = (
    "Ask for less, by a filter, a page or a limit among the arguments, if there is one; else who"
    " wrote the tool has to raise response.maxBytes."
)

Reason = Literal["connect", "tls", "protocol", "too_large", "forbidden", "credentials"]


class UpstreamError(OperatorError):
    """A backend gave no usable answer; the sentence names neither host nor credential.

    Attributes:
        reason: What kind of failure it was.
        address: The `HOST:PORT` that was tried, for logs; empty where none was.
    """

    def __init__(self, reason: Reason, message: str, address: str = "") -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.address = address


@dataclass(frozen=True, slots=True)
class Tls:
    """How to verify an https backend.

    Attributes:
        ca: PEM certificates to trust instead of the system's; None for the system's.
        server_name: The name that the certificate must carry; empty for the backend's host.
        verify: False accepts any certificate.
        certificate: PEM certificate to show to the backend; None for none.
        key: Its PEM key.
    """

    ca: bytes | None = None
    server_name: str = ""
    verify: bool = True
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)


class Upstream(Protocol):
    """Sends one request and reads one whole answer."""

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits = UNLIMITED
    ) -> Answer:
        """Exchange a request for an answer of at most `max_bytes`, of a stream for its beginning.

        Raises:
            UpstreamError: There was no answer, or not one that can be used.
        """
        ...


class HttpUpstream:
    """`Upstream` over aiohttp. Use as an async context manager, inside the running loop."""

    def __init__(
        self,
        services: Mapping[str, str],
        *,
        user_agent: str,
        blocked: Collection[str] = (),
        resolver: AbstractResolver | None = None,
        domain: str = DEFAULT_DOMAIN,
    ) -> None:
        """Set up; nothing is opened before the context is entered.

        Args:
            services: Where to find Services instead of in the DNS (see `Overrides`). Only these
                may be on the local host.
            user_agent: The `User-Agent` that backends see.
            blocked: Addresses to refuse besides the general ones, such as the API server's.
            resolver: Asks the DNS; the system's one where none is given.
            domain: The domain of the cluster, which Services' names end with.
        """
        self._domain = domain
        self._overrides = Overrides(services)
        self._blocked = frozenset(blocked)
        self._user_agent = user_agent
        self._resolver = resolver
        self._contexts: OrderedDict[tuple[object, ...], ssl.SSLContext] = OrderedDict()

    async def __aenter__(self) -> Self:
        guarded = GuardedResolver(
            self._resolver or SystemResolver(),
            trusted=self._overrides.lead_to,
            blocked=self._blocked,
            domain=self._domain,
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=guarded,
                limit=0,  # the bulkheads bound what is open
                use_dns_cache=False,  # the resolver keeps answers
                keepalive_timeout=IDLE_CONNECTION,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            trust_env=False,
            auto_decompress=False,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            skip_auto_headers=("Content-Type",),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits = UNLIMITED
    ) -> Answer:
        """Exchange a request for an answer of at most `max_bytes`, of a stream for its beginning.

        Raises:
            UpstreamError: There was no answer, or not one that can be used.
        """
        try:
            options = await self._options(request, tls)
            url = self._url(request)
            async with self._session.request(request.method, url, **options) as response:
                if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
                    raise UpstreamError("protocol", "The backend switched to another protocol.")
                return await read_answer(response, max_bytes, stream)
        except TooLargeError as error:
            raise UpstreamError("too_large", f"{error} {_NARROW}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _explained(error, self._tried(request)) from error

    def _url(self, request: Request) -> URL:
        """Build the URL from the catalog's origin; `encoded` keeps the target byte for byte."""
        authority = _authority(*self._address(request))
        return URL(f"{request.scheme}://{authority}{request.target}", encoded=True)

    def _tried(self, request: Request) -> str:
        target = self._overrides.find(request.host, request.port)
        return _authority(*(target or (request.host, request.port)))

    def _address(self, request: Request) -> tuple[str, int]:
        overridden = self._overrides.find(request.host, request.port)
        if overridden:
            return overridden
        if self._overrides.lead_to(request.host, request.port):
            raise ForbiddenAddressError("only the Service that it stands in for may be called")
        if _is_ip(request.host):  # which aiohttp connects to without asking the resolver
            check_address(request.host, self._blocked, outside=True)
        if is_service_host(request.host) == request.external:
            raise ForbiddenAddressError("a Service is not outside of the cluster, nor the reverse")
        if request.external and not is_outside(request.host):
            raise ForbiddenAddressError("the name means something within a network only")
        return request.host, request.port

    async def _options(self, request: Request, tls: Tls) -> dict[str, Any]:
        default_port = {"http": 80, "https": 443}[request.scheme]
        name = request.virtual_host or request.host
        host = name if request.port == default_port else f"{name}:{request.port}"
        options: dict[str, Any] = {
            "headers": [("Host", host), *request.headers],
            "data": request.body,
            "allow_redirects": False,
        }
        if request.scheme == "https":
            options["ssl"] = await self._context(tls)
            options["server_hostname"] = tls.server_name or name
        return options

    async def _context(self, tls: Tls) -> ssl.SSLContext:
        pair = (tls.certificate or b"") + (tls.key or b"")
        key = (_digest(tls.ca), _digest(pair), tls.verify)
        context = self._contexts.get(key)
        if context is None:
            # Loading the system's certificates reads files.
            context = await asyncio.to_thread(_make_context, tls)
            self._contexts[key] = context
            if len(self._contexts) > MAX_TLS_CONTEXTS:
                self._contexts.popitem(last=False)
        return context


def _make_context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=tls.ca.decode("ascii") if tls.ca else None)
    except (ssl.SSLError, ValueError) as error:
        raise UpstreamError("tls", "The CA given for the backend is no PEM certificate.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate is not None:
        _load_pair(context, tls.certificate, tls.key or b"")
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a client certificate; `ssl` takes files only, so it gets one that is soon gone."""
    with _private_file() as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        name = f"/proc/self/fd/{file.fileno()}" if isinstance(file.name, int) else file.name
        try:
            context.load_cert_chain(name, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise UpstreamError(
                "tls", "The client certificate for the backend and its key are no PEM pair."
            ) from error


def _private_file() -> IO[bytes]:
    """Open a file that only this process reads: in memory, since pods may write nowhere."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("client-certificate"), "wb")
    return cast("IO[bytes]", tempfile.NamedTemporaryFile())


def _digest(secret: bytes | None) -> str:
    return hashlib.sha256(secret).hexdigest() if secret else ""


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _explained(error: Exception, address: str) -> UpstreamError:
    """Say what happened without addresses or anything that was sent."""
    for candidate in (getattr(error, "os_error", error), error):
        for types, reason, sentence in _EXPLANATIONS:
            if isinstance(candidate, types):
                return UpstreamError(reason, sentence, address)
    return UpstreamError("protocol", "The backend closed the connection early.", address)


_EXPLANATIONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason, str], ...] = (
    (
        ForbiddenAddressError,
        "forbidden",
        "The backend's address is one that no tool may reach.",
    ),
    (
        (aiohttp.ClientConnectorCertificateError, ssl.CertificateError),
        "tls",
        "The backend's certificate is not trusted.",
    ),
    (
        (aiohttp.ClientConnectorSSLError, ssl.SSLError),
        "tls",
        "No TLS connection to the backend could be made.",
    ),
    (aiohttp.ClientConnectorDNSError, "connect", "The backend's name does not resolve."),
    (
        aiohttp.ClientConnectorError,
        "connect",
        "The backend refuses connections or cannot be reached.",
    ),
    (
        aiohttp.ConnectionTimeoutError,
        "connect",
        "The backend did not accept a connection in time.",
    ),
    (
        (aiohttp.ClientResponseError, aiohttp.ClientPayloadError),
        "protocol",
        "The backend's answer is not valid HTTP.",
    ),
)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
