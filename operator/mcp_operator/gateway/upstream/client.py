"""The HTTP client for backends: a pool of connections, without redirects and ambient settings.

It uses no redirects, cookies, proxies, or credentials from the environment, and holds no more of a
response than the limit. It sends each request once. The caller sets deadlines: cancelling `send`
closes the connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, Literal, Protocol, Self, cast

from aiohttp.abc import AbstractResolver

from mcp_operator.api.hosts import is_outside, is_service_host
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.upstream.addresses import (
    DEFAULT_DOMAIN,
    Blocked,
    ForbiddenAddressError,
    GuardedResolver,
    Overrides,
)
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.names import SystemResolver
from mcp_operator.gateway.upstream.pool.head import (
    BadRequestError,
    FieldLine,
    field_line,
    request_head,
)
from mcp_operator.gateway.upstream.pool.pool import (
    NoAddressError,
    NoConnectionError,
    Origin,
    Pool,
    SlowConnectionError,
)
from mcp_operator.gateway.upstream.pool.reply import ProtocolError
from mcp_operator.gateway.upstream.reading import (
    UNLIMITED,
    BrokenOffError,
    StreamLimits,
    TooLargeError,
    read_answer,
)

MAX_TLS_CONTEXTS = 256
"""TLS contexts that are cached; there is one per CA and client certificate."""

_NARROW = (
    "Request less, if the tool has an argument such as a filter, a page or a limit. Otherwise, "
    "its author has to raise maxBytes."
)

Reason = Literal["connect", "tls", "protocol", "closed", "too_large", "forbidden", "credentials"]


class UpstreamError(OperatorError):
    """A backend gave no usable response; the message contains neither host nor credentials.

    Attributes:
        reason: The kind of failure.
        address: The `HOST:PORT` that was tried, for logs; empty for none.
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
        server_name: The name that the certificate must contain; empty for the backend's host.
        verify: False accepts any certificate.
        certificate: PEM client certificate; None for none.
        key: Its PEM key.
    """

    ca: bytes | None = None
    server_name: str = ""
    verify: bool = True
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)


class Upstream(Protocol):
    """Sends one request and reads one complete response."""

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits = UNLIMITED
    ) -> Answer:
        """Send a request; return a response of at most `max_bytes`, or the beginning of a stream.

        Raises:
            UpstreamError: There was no usable response.
        """
        ...


class HttpUpstream:
    """`Upstream` over HTTP/1.1. Use as an async context manager, inside the running loop."""

    def __init__(
        self,
        services: Mapping[str, str],
        *,
        user_agent: str,
        blocked: Collection[Blocked] = (),
        resolver: AbstractResolver | None = None,
        domain: str = DEFAULT_DOMAIN,
    ) -> None:
        """Set up; nothing is opened before the context is entered.

        Args:
            services: Addresses of Services that replace DNS (see `Overrides`). Only these can be on
                the local host.
            user_agent: The `User-Agent` that backends see.
            blocked: Addresses to refuse in addition to the general ones, such as the API server's;
                read each time, so it can change.
            resolver: Resolves names; defaults to the system's resolver.
            domain: The domain of the cluster, with which the names of Services end.
        """
        self._domain = domain
        self._overrides = Overrides(services)
        self._blocked = blocked
        self._usual = {
            "host": FieldLine(b""),  # must come first (RFC 9110 section 7.2)
            "accept": field_line("Accept", "*/*"),
            "user-agent": field_line("User-Agent", user_agent),
            "accept-encoding": field_line("Accept-Encoding", "identity"),
        }
        self._resolver = resolver
        self._contexts: OrderedDict[tuple[object, ...], ssl.SSLContext] = OrderedDict()

    async def __aenter__(self) -> Self:
        self._guarded = GuardedResolver(
            self._resolver or SystemResolver(),
            trusted=self._overrides.lead_to,
            blocked=self._blocked,
            domain=self._domain,
        )
        self._pool = Pool(self._guarded)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pool.close()
        await self._guarded.close()

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits = UNLIMITED
    ) -> Answer:
        """Send a request; return a response of at most `max_bytes`, or the beginning of a stream.

        Raises:
            UpstreamError: There was no usable response.
        """
        try:
            origin = await self._origin(request, tls)
            head = self._head(request)
            reply = await self._pool.ask(origin, request.method, head, request.body)
            try:
                return await read_answer(reply, max_bytes, stream)
            finally:
                reply.close()
        except TooLargeError as error:
            raise UpstreamError("too_large", f"{error} {_NARROW}") from error
        except BrokenOffError as error:
            reason: Reason = "protocol" if isinstance(error.__cause__, ProtocolError) else "closed"
            raise UpstreamError(reason, str(error), self._tried(request)) from error
        except (BadRequestError, OSError) as error:
            raise _explained(error, self._tried(request)) from error

    def _head(self, request: Request) -> bytes:
        host = _host_line(request.scheme, request.virtual_host or request.host, request.port)
        headers = {**self._usual, **request.headers, "host": host}
        return request_head(request.method, request.target, headers.values(), request.body)

    def _tried(self, request: Request) -> str:
        target = self._overrides.find(request.host, request.port)
        return _authority(*(target or (request.host, request.port)))

    def _address(self, request: Request) -> tuple[str, int]:
        overridden = self._overrides.find(request.host, request.port)
        if overridden:
            return overridden
        if self._overrides.lead_to(request.host, request.port):
            raise ForbiddenAddressError("only its own Service may be called")
        if is_service_host(request.host) == request.external:
            raise ForbiddenAddressError(
                "a tool with external cannot call a Service, and a tool with service can call "
                "nothing else"
            )
        if request.external and not is_outside(request.host):
            raise ForbiddenAddressError("the name is valid only within a network")
        return request.host, request.port

    async def _origin(self, request: Request, tls: Tls) -> Origin:
        host, port = self._address(request)
        if request.scheme != "https":
            return Origin(host, port)
        name = tls.server_name or request.virtual_host or request.host
        return Origin(host, port, await self._context(tls), name)

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


@lru_cache(maxsize=1024)
def _host_line(scheme: str, name: str, port: int) -> FieldLine:
    default_port = {"http": 80, "https": 443}[scheme]
    return field_line("Host", name if port == default_port else f"{name}:{port}")


def _make_context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=tls.ca.decode("ascii") if tls.ca else None)
    except (ssl.SSLError, ValueError) as error:
        raise UpstreamError("tls", "The CA for the backend is not a PEM certificate.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate is not None:
        _load_pair(context, tls.certificate, tls.key or b"")
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a client certificate; `ssl` accepts only files, so it gets a temporary one."""
    with _private_file() as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        name = f"/proc/self/fd/{file.fileno()}" if isinstance(file.name, int) else file.name
        try:
            context.load_cert_chain(name, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise UpstreamError(
                "tls", "The client certificate for the backend and its key are not a PEM pair."
            ) from error


def _private_file() -> IO[bytes]:
    """Open a private temporary file, in memory if possible: pods can have no writable disk."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("client-certificate"), "wb")
    return cast("IO[bytes]", tempfile.NamedTemporaryFile())


def _digest(secret: bytes | None) -> str:
    return hashlib.sha256(secret).hexdigest() if secret else ""


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _explained(error: Exception, address: str) -> UpstreamError:
    """Describe an error without addresses and without anything that was sent."""
    for kind, reason, sentence in _EXPLANATIONS:
        if isinstance(error, kind):
            return UpstreamError(reason, sentence.format(error), address)
    return UpstreamError("closed", "The backend closed the connection early.", address)


_EXPLANATIONS: tuple[tuple[type[Exception], Reason, str], ...] = (
    (
        ForbiddenAddressError,
        "forbidden",
        "Tools must not reach the address of the backend.",
    ),
    (ssl.CertificateError, "tls", "The backend's certificate is not trusted."),
    (ssl.SSLError, "tls", "The TLS handshake with the backend failed."),
    (SlowConnectionError, "connect", "The backend did not accept a connection in time."),
    (NoAddressError, "connect", "The backend's name does not resolve."),
    (NoConnectionError, "connect", "The backend refuses connections or cannot be reached."),
    (ProtocolError, "protocol", "The backend's answer is not valid HTTP: {}."),
    (BadRequestError, "protocol", "The request to the backend cannot be sent: {}."),
)
