"""Bulkheads: no backend can use all of a gateway's capacity, and no client all of a backend's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.shares import Clients

IN_FLIGHT_SHARE = 2
"""A backend can have 1/2 of the server's concurrent requests in flight."""

WAITING_SHARE = 4
"""Another 1/4 can wait for the backend. So one that hangs leaves the last quarter to the others."""


class BusyError(OperatorError):
    """Too many calls to one backend are in progress."""


class _Bulkhead:
    def __init__(self, capacity: int) -> None:
        self.in_flight = max(1, capacity // IN_FLIGHT_SHARE)
        self.slots = asyncio.Semaphore(self.in_flight)
        self.max_waiting = max(1, capacity // WAITING_SHARE)
        self.waiting = 0
        self.users = 0
        self.clients = Clients()

    def check(self, client: str) -> None:
        """Raise BusyError if no place is free for a client, or the client has used up its share.

        A client that is alone can use all slots in flight and half of the waiting places, so that a
        second client still finds a place to wait. Otherwise, it can use half of the slots.
        """
        if self.slots.locked() and self.waiting >= self.max_waiting:
            raise BusyError("The backend is busy with other calls; try again in a moment.")
        share = (
            self.in_flight + (self.max_waiting + 1) // 2
            if self.clients.is_alone(client)
            else (self.in_flight + 1) // 2
        )
        if self.clients.holds(client) >= share:
            raise BusyError("The backend is busy with your other calls; wait for their responses.")


class Bulkheads:
    """One bulkhead per backend, created for its first call and dropped after its last."""

    def __init__(self) -> None:
        self._bulkheads: dict[tuple[str, int], _Bulkhead] = {}

    @asynccontextmanager
    async def slot(
        self, host: str, port: int, capacity: int, client: str = ""
    ) -> AsyncIterator[None]:
        """Hold one of a backend's slots; waits while all slots are taken.

        Args:
            host: The backend's host.
            port: The backend's port.
            capacity: Concurrent requests of the whole server. A bulkhead in use keeps the value
                that it was created with.
            client: The client, for limits that clients share.

        Raises:
            BusyError: Too many calls are already waiting, or this client has used up its share.
        """
        bulkhead = self._bulkheads.get((host, port))
        if bulkhead is None:
            bulkhead = self._bulkheads[host, port] = _Bulkhead(capacity)
        bulkhead.check(client)
        bulkhead.users += 1
        bulkhead.clients.enter(client)
        try:
            bulkhead.waiting += 1
            try:
                await bulkhead.slots.acquire()
            finally:
                bulkhead.waiting -= 1
            try:
                yield
            finally:
                bulkhead.slots.release()
        finally:
            bulkhead.clients.leave(client)
            bulkhead.users -= 1
            if not bulkhead.users:
                del self._bulkheads[host, port]
