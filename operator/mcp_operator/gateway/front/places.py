"""Limits the open connections, in total and per address."""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from functools import lru_cache
from typing import Final

from mcp_operator.gateway.shares import Shares

MAX_CONNECTIONS: Final = 4096
"""Connections of one listener; an idle one takes about 12 KiB."""

RESERVED_DESCRIPTORS: Final = 1024
"""File descriptors for other uses: connections to backends, the management port, files."""

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that identify a client; a host can choose the others freely."""


def room_for_connections() -> int:
    """Return how many clients can be connected while enough descriptors are left for other uses.

    Raises the soft limit on open files of this process as needed, up to the hard limit.
    """
    wanted = MAX_CONNECTIONS + RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limit = wanted if soft == resource.RLIM_INFINITY else soft
    return min(MAX_CONNECTIONS, limit - min(RESERVED_DESCRIPTORS, limit // 2))


@lru_cache(maxsize=4096)
def client_of(address: str) -> str:
    """Return the key of a client: its IPv4 address, or the /64 network of its IPv6 address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, IPV6_PREFIX), strict=False))


class Places:
    """The connections of one listener, which its clients share."""

    def __init__(self, total: int = MAX_CONNECTIONS) -> None:
        """Set up the places.

        Args:
            total: The maximum number of connections.
        """
        self.shares = Shares(total)
        self._free = asyncio.Event()
        self._free.set()

    def enter(self, client: str) -> bool:
        """Take a place; returns False if the client has used up its share."""
        if not self.shares.take(client):
            return False
        if self.shares.held >= self.shares.total:
            self._free.clear()
        return True

    def leave(self, client: str) -> None:
        """Give a place back."""
        self.shares.give_back(client)
        self._free.set()

    @property
    def full(self) -> bool:
        """Whether no place is left for any client."""
        return not self._free.is_set()

    async def free(self) -> None:
        """Wait until a place is free."""
        await self._free.wait()


class Seldom:
    """Limits a log message to one per minute."""

    INTERVAL: Final = 60.0

    def __init__(self) -> None:
        self._next = float("-inf")

    def due(self) -> bool:
        """Tell whether to log now: at least a minute has passed since the last time."""
        now = asyncio.get_running_loop().time()
        if now < self._next:
            return False
        self._next = now + self.INTERVAL
        return True
