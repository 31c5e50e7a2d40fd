"""Shares resources among clients, so that one client leaves enough for the others."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from functools import lru_cache
from typing import Final

RECENT_SECONDS: Final = 10.0
"""How long after its last request a client still counts as one that the others share with."""


class Shares:
    """An amount of a resource, half of which one client can hold.

    Half is far more than any single client needs. But if clients do not authenticate, all clients
    behind the same proxy count as one.
    """

    def __init__(self, total: int) -> None:
        """Set up.

        Args:
            total: The whole amount.
        """
        self.total = total
        self.held = 0
        self._by_client: dict[str, int] = {}

    @property
    def each(self) -> int:
        """The amount that one client can hold."""
        return max(1, self.total // 2)

    def take(self, client: str, amount: int = 1) -> bool:
        """Take an amount for a client; returns False, and takes nothing, if that is too much."""
        has = self._by_client.get(client, 0)
        if has + amount > self.each or self.held + amount > self.total:
            return False
        if amount:
            self._by_client[client] = has + amount
            self.held += amount
        return True

    def give_back(self, client: str, amount: int = 1) -> None:
        """Give back an amount of a client."""
        left = self._by_client.get(client, 0) - amount
        if left > 0:
            self._by_client[client] = left
        else:
            self._by_client.pop(client, None)
        self.held -= amount

    def holds(self, client: str) -> int:
        """Return the amount that a client holds."""
        return self._by_client.get(client, 0)

    @property
    def heaviest(self) -> str:
        """The client that holds the most; call it only if any amount is held."""
        return max(self._by_client, key=self._by_client.__getitem__)


class Clients:
    """Counts places per client, and knows whether a client is the only active one.

    A client that is alone can use every place. If there are others, it can use half of them, so
    that one greedy client leaves as many for the others.
    """

    def __init__(self) -> None:
        self._held = Counter[str]()
        self._last = ("", float("-inf"))
        """The client that came last, and when."""
        self._other = ("", float("-inf"))
        """The other client that came last, and when."""

    def is_alone(self, client: str) -> bool:
        """Note that a client came; return whether no other client came recently."""
        now = asyncio.get_running_loop().time()
        if client != self._last[0]:
            self._other = self._last
        self._last = client, now
        return now - self._other[1] >= RECENT_SECONDS

    def holds(self, client: str) -> int:
        """Return the number of places that a client has."""
        return self._held[client]

    def enter(self, client: str) -> None:
        """Count another place of a client."""
        self._held[client] += 1

    def leave(self, client: str) -> None:
        """Count one place less of a client."""
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]


@lru_cache(maxsize=1024)
def digest_of(client: str) -> str:
    """Return a digest that identifies a client where others can read it, without its name."""
    return hashlib.blake2b(client.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
