"""The interface that the gateway uses for its Redis, independent of the client library."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol


class Link(Protocol):
    """One connection that any number of callers share.

    Attributes:
        peers: The known number of gateways of the server that use this Redis, including this one.
    """

    peers: int

    @property
    def is_up(self) -> bool:
        """Whether Redis is available."""
        ...

    def key(self, name: str) -> str:
        """Return the full name of a key."""
        ...

    def call(self, *command: Any) -> Awaitable[Any]:
        """Send a command and return its reply.

        Raises:
            RedisAwayError: Redis is unavailable, or does not reply in time.
            UnknownScriptError: Redis does not have the script.
        """
        ...


class HasLink(Protocol):
    """Has a link while the server has a Redis."""

    @property
    def link(self) -> Link | None:
        """The connection to Redis, or None if the server has no Redis."""
        ...
