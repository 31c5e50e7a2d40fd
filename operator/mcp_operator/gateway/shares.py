"""What clients share, so that one of them leaves enough for the others."""

from __future__ import annotations


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
