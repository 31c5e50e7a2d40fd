"""Limits the requests that wait for backends, in total and per client."""

from __future__ import annotations

import asyncio

from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.shares import Clients


class Gate:
    """Counts requests in flight. Requests that are answered from memory do not count."""

    def __init__(self) -> None:
        self.busy = 0
        self._clients = Clients()
        self._idle = asyncio.Event()
        self._idle.set()

    def enter(self, limit: int, client: str = "", each: int | None = None) -> _Place:
        """Take a place; the `with` statement around the returned value gives it back.

        Args:
            limit: The number of places.
            client: The client that asks.
            each: The maximum for one client; None for no such limit.

        Raises:
            RpcError: 503 if `limit` requests are in flight. There is no queue, because it would
                fill with requests of clients that no longer wait. 429 if this client has `each`
                requests in flight, or half of all places while other clients are active.
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
        """Wait until no request is in flight."""
        await self._idle.wait()


class _Place:
    """A place that a client holds until the `with` statement ends."""

    __slots__ = ("_client", "_gate")

    def __init__(self, gate: Gate, client: str) -> None:
        self._gate = gate
        self._client = client

    def __enter__(self) -> None:
        """Do nothing: the place is already taken."""

    def __exit__(self, *_: object) -> None:
        self._gate.leave(self._client)
