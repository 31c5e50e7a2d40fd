"""Answers in the memory of one process, bounded in all and for one client."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from mcp_operator.gateway.contract import Validators
from mcp_operator.gateway.shares import Shares

MAX_BYTES: Final = 32 * 1024 * 1024
"""What all answers may take, roughly; those that were used longest ago go first."""

MAX_ENTRY: Final = 1024 * 1024
"""What one answer may take; larger ones are not kept."""

ENTRY_BYTES: Final = 1024
"""What an answer takes besides its text."""


@dataclass(slots=True)
class Kept:
    """An answer that is kept.

    Attributes:
        value: What the executor returned.
        until: When it is stale, in the loop's time.
        validators: What the backend can be asked with whether it has changed since.
        size: Bytes that it takes.
        owner: The client that it was asked for by.
    """

    value: Any
    until: float
    validators: Validators
    size: int
    owner: str


class Store:
    """The answers, by their keys."""

    def __init__(self, total: int = MAX_BYTES) -> None:
        """Set up.

        Args:
            total: Bytes that all answers may take.
        """
        self._shares = Shares(total)
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._owned: dict[str, OrderedDict[str, None]] = {}

    @property
    def size(self) -> int:
        """Bytes that are taken."""
        return self._shares.held

    def get(self, key: str) -> Kept | None:
        """Return an answer, stale or not."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            self._owned[found.owner].move_to_end(key)
        return found

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer, if it is not too large; others make room."""
        self.discard(key)
        if kept.size > min(MAX_ENTRY, self._shares.each):
            return
        while not self._shares.take(kept.owner, kept.size):
            own = self._shares.holds(kept.owner) + kept.size > self._shares.each
            self.discard(next(iter(self._owned[kept.owner] if own else self._kept)))
        self._kept[key] = kept
        self._owned.setdefault(kept.owner, OrderedDict())[key] = None

    def discard(self, key: str) -> None:
        """Forget an answer."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._shares.give_back(kept.owner, kept.size)
            owned = self._owned[kept.owner]
            del owned[key]
            if not owned:
                del self._owned[kept.owner]
