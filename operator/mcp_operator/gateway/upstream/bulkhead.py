"""Bulkheads: no single backend can hold all of a gateway's capacity, and no client all of one's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.shares import Clients

IN_FLIGHT_SHARE = 2
"""A backend may have 1/2 of the server's concurrent requests in flight."""

WAITING_SHARE = 4
"""And a further 1/4 waiting: a backend that hangs leaves the last quarter to all others."""


class BusyError(OperatorError):
    """Too many calls to one backend are under way."""


class _Bulkhead:
    def __init__(self, capacity: int) -> None:
        self.in_flight = max(1, capacity // IN_FLIGHT_SHARE)
        self.slots = asyncio.Semaphore(self.in_flight)
        self.max_waiting = max(1, capacity // WAITING_SHARE)
        self.waiting = 0
        self.users = 0
        self.clients = Clients()

    def check(self, client: str) -> None:
        """Raise BusyError where a client can have no place: there is none, or it has its share.

        Alone, that is all that can be in flight, and half of those that wait: another client that
        comes then finds one to wait in. Among others, it is half of what can be in flight.
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
    """One bulkhead per backend, made at its first call and dropped after its last."""

    def __init__(self) -> None:
        self._bulkheads: dict[tuple[str, int], _Bulkhead] = {}

    @asynccontextmanager
    async def slot(
        self, host: str, port: int, capacity: int, client: str = ""
    ) -> AsyncIterator[None]:
        """Hold one of a backend's slots; waits while all are taken.

        Args:
            host: The backend's host.
            port: The backend's port.
            capacity: Concurrent requests of the whole server. A bulkhead in use keeps the one
                that it was made with.
            client: Who calls, as far as clients share what there is.

        Raises:
            BusyError: As many calls as may wait are waiting already, or this client has its share.
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
