"""Which requests for tasks come as seldom as their clients were asked to send them.

Those count towards no limit: the server has asked for them. What a client was told is known to this
process alone, so that the first request for a task that another gateway made counts as any other.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

MAX_POLLED: Final = 20_000
"""Tasks that are kept, in some 4 MiB, each for each client that asks for it. Of more, the one goes
that was asked for longest ago; the next request for it counts."""

BURST: Final = 2
"""Requests that may come at once: one more than due, for clients that look at once, too."""


class Polls:
    """Knows how often clients were asked to look at tasks, and how often they do."""

    def __init__(self, capacity: int = MAX_POLLED) -> None:
        """Set up.

        Args:
            capacity: How many tasks are kept.
        """
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        """The seconds between two looks, and when `BURST` looks may be taken at once again."""

    def __len__(self) -> int:
        return len(self._known)

    def told(self, client: str, task_id: str, seconds: float) -> None:
        """Note how often a client was asked to look at a task.

        Args:
            client: Who was told.
            task_id: The task.
            seconds: Between two looks.
        """
        now = asyncio.get_running_loop().time()
        _, rested_at = self._known.get((client, task_id), (seconds, now))
        self._known[client, task_id] = seconds, min(rested_at, now + BURST * seconds)
        self._known.move_to_end((client, task_id))
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)

    def take(self, client: str, task_id: object) -> bool:
        """Tell whether a request for a task comes no sooner than asked, and note that it came."""
        if not isinstance(task_id, str) or (client, task_id) not in self._known:
            return False
        now = asyncio.get_running_loop().time()
        seconds, rested_at = self._known[client, task_id]
        after = max(rested_at, now) + seconds
        if after > now + BURST * seconds:
            return False
        self._known[client, task_id] = seconds, after
        return True
