"""Opens connections to Redis, but only to addresses that a gateway is allowed to connect to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from aiohappyeyeballs import AddrInfoType, start_connection
from aiohttp.abc import AbstractResolver

from mcp_operator.api.hosts import is_service_host
from mcp_operator.gateway.redis.errors import RedisAwayError
from mcp_operator.gateway.upstream.addresses import (
    DEFAULT_DOMAIN,
    Blocked,
    Overrides,
    is_address,
    why_forbidden,
)
from mcp_operator.gateway.upstream.names import SystemResolver

EYEBALLS: Final = 0.25
"""Seconds until the next address of a name is tried; RFC 8305, section 8."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Tls:
    """How the certificate of Redis is verified.

    Attributes:
        ca: PEM certificates to trust instead of the system's; None for the system's.
        server_name: The name that the certificate must contain.
        verify: False accepts any certificate.
    """

    ca: bytes | None
    server_name: str
    verify: bool = True


class Dialer:
    """Opens connections."""

    def __init__(
        self,
        services: Mapping[str, str],
        *,
        blocked: Collection[Blocked] = (),
        resolver: AbstractResolver | None = None,
        domain: str = DEFAULT_DOMAIN,
        loopback: bool = False,
    ) -> None:
        """Set up.

        Args:
            services: Addresses of Services that replace DNS (see `Overrides`).
            blocked: Addresses to refuse in addition to the general ones, such as the API server's.
            resolver: Resolves names; defaults to the system's resolver.
            domain: The domain of the cluster, with which the names of Services end.
            loopback: Whether Redis can be on this host, for files on a developer's machine.
        """
        self._overrides = Overrides(services)
        self._blocked = blocked
        self._resolver = resolver or SystemResolver()
        self._domain = domain
        self._loopback = loopback
        self._context: tuple[Tls, ssl.SSLContext] | None = None

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()

    async def open(self, host: str, port: int, tls: Tls | None) -> Streams:
        """Open a connection.

        Args:
            host: A Service, another name, or an IP address.
            port: The port.
            tls: How to verify the certificate; None for an unencrypted connection.

        Raises:
            RedisAwayError: The address is not allowed, or the CA is not valid.
            OSError: No connection could be opened.
        """
        context = await self._verified(tls) if tls else None
        addresses = await self._addresses(host, port)
        connected = await start_connection(addresses, happy_eyeballs_delay=EYEBALLS)
        return await asyncio.open_connection(
            sock=connected, ssl=context, server_hostname=tls.server_name if tls else None
        )

    async def _addresses(self, host: str, port: int) -> list[AddrInfoType]:
        named = self._overrides.find(host, port)  # set by the user of this process: any address
        target, port = named or (host, port)
        if is_address(target):
            found = [target]
        else:
            results = await self._resolver.resolve(self._absolute(target), port, socket.AF_UNSPEC)
            found = [result["host"] for result in results]
        if not found:
            raise RedisAwayError("its name does not resolve")
        for address in found:
            if named is None and not (self._loopback and _is_loopback(address)):
                self._check(address, port)
        return [
            (_family(one), socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one, port)) for one in found
        ]

    def _absolute(self, name: str) -> str:
        """Return an absolute name, which the search list of a pod cannot change."""
        if is_service_host(name):
            return f"{name}.{self._domain}."
        return f"{name}." if "." in name else name

    def _check(self, address: str, port: int) -> None:
        if why := why_forbidden(address, self._blocked, port=port):
            raise RedisAwayError(f"connections to its address are not allowed: {why}")

    async def _verified(self, tls: Tls) -> ssl.SSLContext:
        if self._context is None or self._context[0] != tls:
            # Loading the system's certificates reads files.
            self._context = tls, await asyncio.to_thread(_make_context, tls)
        return self._context[1]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _make_context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=tls.ca.decode("ascii") if tls.ca else None)
    except (ssl.SSLError, ValueError) as error:
        raise RedisAwayError("its CA is not a PEM certificate") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
