"""Finds requests whose clients have waited long, with one timer for all requests."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

PATIENCE_SECONDS: Final = 10.0
"""The longest time that a client receives nothing for its request. Common proxies and the official
TypeScript client give up after 60 s. Most calls end sooner, and their responses stay plain JSON."""


class Waits(Protocol):
    """A request whose client can wait long."""

    def reassure(self) -> None:
        """Tell the client that its request is still in progress."""
        ...


class Patience:
    """Calls `reassure` once for each request that has waited for `PATIENCE_SECONDS`.

    Most requests are short, and a timer for each would add a hundredth to their time.
    """

    def __init__(self) -> None:
        self._since: dict[Waits, float] = {}
        """Ordered by waiting time, the longest first."""
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, one: Waits) -> None:
        """Start to watch a request."""
        loop = asyncio.get_running_loop()
        self._since[one] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(PATIENCE_SECONDS, self._look)

    def forget(self, one: Waits) -> None:
        """Stop watching a request, reassured or not."""
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
