"""What the gateway asks of its Redis, whatever speaks to it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol


class Link(Protocol):
    """One connection, which any number of callers use at a time.

    Attributes:
        peers: How many gateways of the server use this Redis, this one included, as far as known.
    """

    peers: int

    @property
    def is_up(self) -> bool:
        """Whether Redis is available."""
        ...

    def key(self, name: str) -> str:
        """Return the name of a key."""
        ...

    def call(self, *command: Any) -> Awaitable[Any]:
        """Send a command and return its reply.

        Raises:
            RedisAwayError: There is no Redis, or none that answers in time.
            UnknownScriptError: Redis does not have the script.
        """
        ...


class HasLink(Protocol):
    """Has a link while the server has a Redis."""

    @property
    def link(self) -> Link | None:
        """The link to the Redis; None where the server has none."""
        ...
