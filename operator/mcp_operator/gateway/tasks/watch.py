"""Tells listeners which tasks have changed.

Every gateway can change a task. So while there are listeners, this compares the versions of their
tasks every second. A slow client gets only the latest state of each task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from mcp_operator.core.logs import unbound
from mcp_operator.gateway.shares import Shares
from mcp_operator.gateway.tasks.store import Store, StoreAwayError, Stored
from mcp_operator.gateway.tasks.task import Task

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""Seconds between two comparisons."""

MAX_WATCHED: Final = 1000
"""Tasks that one gateway watches for all streams. One client can have half of them."""

_Shown: TypeAlias = tuple[str, float]


class Listener:
    """A listener to some tasks, until `close`.

    Attributes:
        tell: Gets the id of each task that has changed, on the event loop.
    """

    def __init__(self, watch: Watch, client: str) -> None:
        self.client = client
        self.tell: Callable[[str], None] = lambda _: None
        self.known: dict[str, tuple[int, _Shown]] = {}
        """The last known version and state of each task."""
        self._watch = watch

    def close(self) -> None:
        """Stop listening."""
        self._watch.discard(self)


class Watch:
    """Watches the tasks of a store."""

    def __init__(self, store: Callable[[], Store]) -> None:
        """Set up.

        Args:
            store: Returns the current store.
        """
        self._store = store
        self._listeners: set[Listener] = set()
        self._places = Shares(MAX_WATCHED)
        self._loop: asyncio.Task[None] | None = None

    @property
    def watched(self) -> int:
        """The number of watched tasks; a task counts once for each listener."""
        return self._places.held

    def listen(self, tasks: Iterable[Stored], client: str) -> Listener:
        """Watch tasks, up to the limit; the listener's `known` contains those that are watched.

        Args:
            tasks: The tasks, as they were read.
            client: The client that listens.
        """
        listener = Listener(self, client)
        for task, revision, _ in tasks:
            if task.id not in listener.known and self._places.take(client):
                listener.known[task.id] = revision, _shown(task)
        if listener.known:
            self._listeners.add(listener)
            if self._loop is None or self._loop.done():
                self._loop = asyncio.create_task(self._run(), name="watch tasks", context=unbound())
        return listener

    def discard(self, listener: Listener) -> None:
        """Remove a listener; does nothing if it is already removed."""
        self._listeners.discard(listener)
        self._places.give_back(listener.client, len(listener.known))
        listener.known = {}
        if not self._listeners and self._loop is not None:
            self._loop.cancel()
            self._loop = None

    def close(self) -> None:
        """Stop watching."""
        for listener in tuple(self._listeners):
            listener.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except StoreAwayError:
                continue
            except Exception:
                log.exception("Cannot check tasks for listening clients")

    async def _look(self) -> None:
        known: dict[str, int] = {}
        for listener in self._listeners:
            for task_id, (revision, _) in listener.known.items():
                known[task_id] = min(revision, known.get(task_id, revision))
        for task_id in sorted(await self._store().changed(known)):
            stored = await self._store().get(task_id)
            for listener in tuple(self._listeners):
                self._note(listener, task_id, stored)

    def _note(self, listener: Listener, task_id: str, stored: Stored | None) -> None:
        """Tell a listener that a task changed, if its state did; forget a task that is gone."""
        if task_id not in listener.known:
            return
        if stored is None:
            del listener.known[task_id]
            self._places.give_back(listener.client)
            return
        shown = _shown(stored.task)
        has_changed = listener.known[task_id][1] != shown
        listener.known[task_id] = stored.revision, shown
        if has_changed:
            listener.tell(task_id)


def _shown(task: Task) -> _Shown:
    return task.status, task.updated
