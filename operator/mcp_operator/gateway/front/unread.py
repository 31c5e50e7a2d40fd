"""Answers that wait in memory until their clients read them, and how much they may take."""

from __future__ import annotations

import logging
from typing import Final, Protocol

log = logging.getLogger(__name__)

MAX_UNREAD: Final = 64 * 1024 * 1024
"""Bytes of answers that may wait for slow readers, in all. An answer that waits takes up to three
times as much: as a whole, and what the event loop has yet to send of it."""


class Reader(Protocol):
    """A client that has not read all of its answer."""

    @property
    def unread(self) -> int:
        """Bytes that wait for it."""
        ...

    def cut(self) -> None:
        """Give it up at once."""
        ...


class Unread:
    """The clients that have something to read."""

    def __init__(self, most: int) -> None:
        """Set up.

        Args:
            most: Bytes that may wait for all of them.
        """
        self._most = most
        self._readers: dict[Reader, None] = {}
        """Who began to lag first stands first."""

    def add(self, reader: Reader) -> None:
        """Count a client, and give up those that have lagged longest if it is too much."""
        self._readers[reader] = None
        total = sum(each.unread for each in self._readers)
        while total > self._most:
            slowest = next(iter(self._readers))
            total -= slowest.unread
            del self._readers[slowest]
            log.debug("Closed the connection of a slow client: too much unsent data")
            slowest.cut()

    def discard(self, reader: Reader) -> None:
        """Count a client no more."""
        self._readers.pop(reader, None)
