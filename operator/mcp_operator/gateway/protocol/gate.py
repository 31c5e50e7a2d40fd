"""How many requests may wait for backends at a time, whose, and when the last has ended."""

from __future__ import annotations

import asyncio

from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.shares import Clients


class Gate:
    """Counts requests in flight; those answered from memory never wait and do not pass here."""

    def __init__(self) -> None:
        self.busy = 0
        self._clients = Clients()
        self._idle = asyncio.Event()
        self._idle.set()

    def enter(self, limit: int, client: str = "", each: int | None = None) -> _Place:
        """Take a place, which is given back at the end of the `with` statement around what returns.

        Args:
            limit: How many there are.
            client: Who asks.
            each: How many one client may have in any case; None for no such bound.

        Raises:
            RpcError: 503, `limit` requests are in flight; refusing at once keeps a queue of
                requests, whose clients have given up, from building. 429, `each` of them are this
                client's, or half of them are and there are others.
        """
        alone, held = self._clients.is_alone(client), self._clients.holds(client)
        if each is not None and held >= each:
            raise RpcError(
                spec.OVERLOADED,
                "Too many of your requests are in progress; wait for their responses",
                status=429,
                retry_after=1,
            )
        if not alone and 2 * held >= max(limit, 2):
            raise RpcError(
                spec.OVERLOADED,
                "Your requests use half of this server's capacity; wait for their responses",
                status=429,
                retry_after=1,
            )
        if self.busy >= limit:
            raise RpcError(
                spec.OVERLOADED,
                "This server is at its limit of concurrent requests; try again",
                status=503,
                retry_after=1,
            )
        self.busy += 1
        self._clients.enter(client)
        self._idle.clear()
        return _Place(self, client)

    def leave(self, client: str) -> None:
        """Give a place back."""
        self.busy -= 1
        self._clients.leave(client)
        if not self.busy:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        await self._idle.wait()


class _Place:
    """A place that a client has until the end of a `with` statement."""

    __slots__ = ("_client", "_gate")

    def __init__(self, gate: Gate, client: str) -> None:
        self._gate = gate
        self._client = client

    def __enter__(self) -> None:
        """Do nothing: the place is taken."""

    def __exit__(self, *_: object) -> None:
        self._gate.leave(self._client)
