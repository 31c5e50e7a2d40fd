"""Finds requests for tasks that respect the polling interval of the task.

The server asked for those requests, so they count towards no limit. Only the gateway that told a
client the interval knows it: the first request for a task of another gateway counts like any other.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

MAX_POLLED: Final = 20_000
"""Tasks that are kept, in about 4 MiB: one entry per task and client. Beyond that, the least
recently announced is dropped, and the next request for it counts."""

BURST: Final = 2
"""Requests that can come at once: the one that is due, and one for clients that poll at once."""


class Polls:
    """Knows the polling intervals that clients were told, and how often they poll."""

    def __init__(self, capacity: int = MAX_POLLED) -> None:
        """Set up.

        Args:
            capacity: How many tasks are kept.
        """
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        """The polling interval in seconds, and when `BURST` requests can come at once again."""

    def __len__(self) -> int:
        return len(self._known)

    def told(self, client: str, task_id: str, seconds: float) -> None:
        """Note the polling interval that a client was told for a task.

        Args:
            client: The client.
            task_id: The task.
            seconds: The polling interval.
        """
        now = asyncio.get_running_loop().time()
        _, rested_at = self._known.get((client, task_id), (seconds, now))
        self._known[client, task_id] = seconds, min(rested_at, now + BURST * seconds)
        self._known.move_to_end((client, task_id))
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)

    def take(self, client: str, task_id: object) -> bool:
        """Tell whether a request for a task respects the polling interval, and count it if so."""
        if not isinstance(task_id, str) or (client, task_id) not in self._known:
            return False
        now = asyncio.get_running_loop().time()
        seconds, rested_at = self._known[client, task_id]
        after = max(rested_at, now) + seconds
        if after > now + BURST * seconds:
            return False
        self._known[client, task_id] = seconds, after
        return True
