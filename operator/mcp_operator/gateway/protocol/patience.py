"""When the client of a request has waited long, with one timer for all requests."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

PATIENCE_SECONDS: Final = 10.0
"""How long a client hears nothing of its request at most. Common proxies, and the official
TypeScript client, give up after 60 s. Most calls end sooner, and their answers stay plain JSON."""


class Waits(Protocol):
    """A request that may wait."""

    def reassure(self) -> None:
        """Show the client that its request is still handled."""
        ...


class Patience:
    """Reassures the clients of requests that have waited for `PATIENCE_SECONDS`, each once.

    A timer for each request would cost most requests, which are short, a hundredth of their time.
    """

    def __init__(self) -> None:
        self._since: dict[Waits, float] = {}
        """Those that have waited longest stand first."""
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, one: Waits) -> None:
        """Begin to count for a request."""
        loop = asyncio.get_running_loop()
        self._since[one] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(PATIENCE_SECONDS, self._look)

    def forget(self, one: Waits) -> None:
        """Count no more for a request, which may have been reassured."""
        self._since.pop(one, None)

    def _look(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        while self._since:
            one, since = next(iter(self._since.items()))
            due = since + PATIENCE_SECONDS
            if due > loop.time():
                self._timer = loop.call_at(due, self._look)
                return
            del self._since[one]
            one.reassure()
