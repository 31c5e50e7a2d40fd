"""Bulkheads: no single backend can hold all of a gateway's capacity."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp_operator.core.errors import OperatorError

IN_FLIGHT_SHARE = 2
"""A backend may have 1/2 of the server's concurrent requests in flight."""

WAITING_SHARE = 4
"""And a further 1/4 waiting: a backend that hangs leaves the last quarter to all others."""


class BusyError(OperatorError):
    """Too many calls to one backend are under way."""


class _Bulkhead:
    def __init__(self, capacity: int) -> None:
        self.slots = asyncio.Semaphore(max(1, capacity // IN_FLIGHT_SHARE))
        self.max_waiting = max(1, capacity // WAITING_SHARE)
        self.waiting = 0
        self.users = 0


class Bulkheads:
    """One bulkhead per backend, made at its first call and dropped after its last."""

    def __init__(self) -> None:
        self._bulkheads: dict[tuple[str, int], _Bulkhead] = {}

    @asynccontextmanager
    async def slot(self, host: str, port: int, capacity: int) -> AsyncIterator[None]:
        """Hold one of a backend's slots; waits while all are taken.

        Args:
            host: The backend's host.
            port: The backend's port.
            capacity: Concurrent requests of the whole server. A bulkhead in use keeps the one
                that it was made with.

        Raises:
            BusyError: As many calls as may wait are waiting already.
        """
        bulkhead = self._bulkheads.get((host, port))
        if bulkhead is None:
            bulkhead = self._bulkheads[host, port] = _Bulkhead(capacity)
        if bulkhead.slots.locked() and bulkhead.waiting >= bulkhead.max_waiting:
            raise BusyError("The backend is busy with other calls; try again in a moment.")
        bulkhead.users += 1
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
            bulkhead.users -= 1
            if not bulkhead.users:
                del self._bulkheads[host, port]
