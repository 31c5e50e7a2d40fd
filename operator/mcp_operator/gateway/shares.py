"""What clients share, so that one of them leaves enough for the others."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from functools import lru_cache
from typing import Final

RECENT_SECONDS: Final = 10.0
"""How long a client counts as one that others share places with, after it last asked for one."""


class Shares:
    """An amount of something, of which one client can hold half.

    That is far more than any client needs, for a proxy in front of the gateway counts as one
    client where clients do not authenticate.
    """

    def __init__(self, total: int) -> None:
        """Set up.

        Args:
            total: How much there is.
        """
        self.total = total
        self.held = 0
        self._by_client: dict[str, int] = {}

    @property
    def each(self) -> int:
        """How much one client can hold."""
        return max(1, self.total // 2)

    def take(self, client: str, amount: int = 1) -> bool:
        """Give a client some; returns False, and gives nothing, where that is too much."""
        has = self._by_client.get(client, 0)
        if has + amount > self.each or self.held + amount > self.total:
            return False
        if amount:
            self._by_client[client] = has + amount
            self.held += amount
        return True

    def give_back(self, client: str, amount: int = 1) -> None:
        """Take back what a client was given."""
        left = self._by_client.get(client, 0) - amount
        if left > 0:
            self._by_client[client] = left
        else:
            self._by_client.pop(client, None)
        self.held -= amount

    def holds(self, client: str) -> int:
        """Return how much a client has."""
        return self._by_client.get(client, 0)

    @property
    def heaviest(self) -> str:
        """The client that holds most; only where something is held."""
        return max(self._by_client, key=self._by_client.__getitem__)


class Clients:
    """Which clients hold places of something, and whether one that asks for another is alone.

    One that is alone may have every place. Where there are others, it has half of them, so that one
    that takes all it can leaves the others as much.
    """

    def __init__(self) -> None:
        self._held = Counter[str]()
        self._last = ("", float("-inf"))
        """Which client came last, and when."""
        self._other = ("", float("-inf"))
        """Which client but that one came last, and when."""

    def is_alone(self, client: str) -> bool:
        """Note that a client came, and tell whether no other did lately."""
        now = asyncio.get_running_loop().time()
        if client != self._last[0]:
            self._other = self._last
        self._last = client, now
        return now - self._other[1] >= RECENT_SECONDS

    def holds(self, client: str) -> int:
        """Return how many places a client has."""
        return self._held[client]

    def enter(self, client: str) -> None:
        """Note that a client has another place."""
        self._held[client] += 1

    def leave(self, client: str) -> None:
        """Note that it has given one back."""
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]


@lru_cache(maxsize=1024)
def digest_of(client: str) -> str:
    """Return what stands for a client where others can read it: of one length, without its name."""
    return hashlib.blake2b(client.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
