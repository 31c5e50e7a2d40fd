"""How many requests may wait for backends at a time, and when the last of them has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError


class Gate:
    """Counts requests in flight; those answered from memory never wait and do not pass here."""

    def __init__(self) -> None:
        self.busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def enter(self, limit: int) -> Iterator[None]:
        """Hold a place.

        Raises:
            RpcError: 503, `limit` requests are in flight; refusing at once keeps a queue of
                requests, whose clients have given up, from building.
        """
        if self.busy >= limit:
            raise RpcError(
                spec.OVERLOADED,
                "This server handles as many requests as it may; try again",
                status=503,
                retry_after=1,
            )
        self.busy += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.busy -= 1
            if not self.busy:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        await self._idle.wait()
