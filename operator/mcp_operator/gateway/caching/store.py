"""Caches responses in the memory of one process, within a limit in total and per client."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from mcp_operator.gateway.contract import Validators
from mcp_operator.gateway.shares import Shares

MAX_BYTES: Final = 32 * 1024 * 1024
"""Approximate bytes of all responses; the least recently used are evicted first."""

MAX_ENTRY: Final = 1024 * 1024
"""Largest bytes of one response; larger ones are not cached."""

ENTRY_BYTES: Final = 1024
"""Approximate bytes that an entry takes in addition to its content."""


@dataclass(slots=True)
class Kept:
    """A cached response.

    Attributes:
        value: What the executor returned.
        until: When it becomes stale, in the event loop's time.
        validators: For asking the backend whether the response has changed.
        size: Bytes that the entry takes.
        owner: The client whose call produced it.
    """

    value: Any
    until: float
    validators: Validators
    size: int
    owner: str


class Store:
    """The cached responses, by key."""

    def __init__(self, total: int = MAX_BYTES) -> None:
        """Set up.

        Args:
            total: Maximum bytes of all responses.
        """
        self._shares = Shares(total)
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._owned: dict[str, OrderedDict[str, None]] = {}

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self._shares.held

    def get(self, key: str) -> Kept | None:
        """Return a response, fresh or stale."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            self._owned[found.owner].move_to_end(key)
        return found

    def put(self, key: str, kept: Kept) -> None:
        """Cache a response unless it is too large, and evict others to make room for it."""
        self.discard(key)
        if kept.size > min(MAX_ENTRY, self._shares.each):
            return
        while not self._shares.take(kept.owner, kept.size):
            own = self._shares.holds(kept.owner) + kept.size > self._shares.each
            self.discard(next(iter(self._owned[kept.owner] if own else self._kept)))
        self._kept[key] = kept
        self._owned.setdefault(kept.owner, OrderedDict())[key] = None

    def discard(self, key: str) -> None:
        """Remove a response."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._shares.give_back(kept.owner, kept.size)
            owned = self._owned[kept.owner]
            del owned[key]
            if not owned:
                del self._owned[kept.owner]
