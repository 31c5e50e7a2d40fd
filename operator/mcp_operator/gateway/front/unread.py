"""Limits the memory of responses that wait for slow clients."""

from __future__ import annotations

import logging
from typing import Final, Protocol

log = logging.getLogger(__name__)

MAX_UNREAD: Final = 64 * 1024 * 1024
"""Bytes of all responses that wait for slow clients. A waiting response can take up to three times
as much memory: the whole response, plus its unsent rest in the event loop's buffers."""


class Reader(Protocol):
    """A client that has not read all of its response."""

    @property
    def unread(self) -> int:
        """Bytes that wait for the client."""
        ...

    def cut(self) -> None:
        """Close its connection at once."""
        ...


class Unread:
    """The clients with unread data."""

    def __init__(self, most: int) -> None:
        """Set up.

        Args:
            most: Maximum bytes that wait for all clients together.
        """
        self._most = most
        self._readers: dict[Reader, None] = {}
        """Ordered by when each client fell behind, the earliest first."""

    def add(self, reader: Reader) -> None:
        """Add a client. If too much data waits, cut off those that fell behind first."""
        self._readers[reader] = None
        total = sum(each.unread for each in self._readers)
        while total > self._most:
            slowest = next(iter(self._readers))
            total -= slowest.unread
            del self._readers[slowest]
            log.debug("Closed the connection of a slow client: too much unsent data")
            slowest.cut()

    def discard(self, reader: Reader) -> None:
        """Remove a client."""
        self._readers.pop(reader, None)
