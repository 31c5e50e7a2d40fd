"""How many requests may wait for backends at a time, whose, and when the last has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError

RECENT_SECONDS: Final = 10.0
"""How long a client counts as one that others share the places with, after its last request."""


class Gate:
    """Counts requests in flight; those answered from memory never wait and do not pass here.

    A client that is alone may have every place. Where there are others, it has half of them, so
    that one that takes all it can leaves the others as much.
    """

    def __init__(self) -> None:
        self.busy = 0
        self._held: dict[str, int] = {}
        self._last = ("", float("-inf"))
        """Which client came last, and when."""
        self._other = ("", float("-inf"))
        """Which client but that one came last, and when."""
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def enter(self, limit: int, client: str = "", each: int | None = None) -> Iterator[None]:
        """Hold a place.

        Args:
            limit: How many there are.
            client: Who asks.
            each: How many one client may have in any case; None for no such bound.

        Raises:
            RpcError: 503, `limit` requests are in flight; refusing at once keeps a queue of
                requests, whose clients have given up, from building. 429, `each` of them are this
                client's, or half of them are and there are others.
        """
        shared, held = self._is_shared(client), self._held.get(client, 0)
        if each is not None and held >= each:
            raise RpcError(
                spec.OVERLOADED,
                "As many of your requests are being handled as may be; wait for answers",
                status=429,
                retry_after=1,
            )
        if shared and 2 * held >= max(limit, 2):
            raise RpcError(
                spec.OVERLOADED,
                "Half of what this server handles at a time is yours; wait for answers",
                status=429,
                retry_after=1,
            )
        if self.busy >= limit:
            raise RpcError(
                spec.OVERLOADED,
                "This server handles as many requests as it may; try again",
                status=503,
                retry_after=1,
            )
        self.busy += 1
        self._held[client] = held + 1
        self._idle.clear()
        try:
            yield
        finally:
            self.busy -= 1
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]
            if not self.busy:
                self._idle.set()

    def _is_shared(self, client: str) -> bool:
        """Note that a client came, and tell whether another one did lately."""
        now = asyncio.get_running_loop().time()
        if client != self._last[0]:
            self._other = self._last
        self._last = client, now
        return now - self._other[1] < RECENT_SECONDS

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        await self._idle.wait()
