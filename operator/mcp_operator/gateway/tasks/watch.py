"""Which tasks have changed, for those who listen.

A task may change in any gateway, so their versions are looked at every second, while anybody
listens. What cannot be told to a slow client in time is told as it is when its turn comes.
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
"""Between two looks at the versions."""

MAX_WATCHED: Final = 1000
"""Tasks that one gateway watches, for all streams together. Those of one client can have half."""

_Shown: TypeAlias = tuple[str, float]


class Listener:
    """Who listens to some tasks; `close` ends that.

    Attributes:
        tell: Takes the id of each task that has changed, on the event loop.
    """

    def __init__(self, watch: Watch, client: str) -> None:
        self.client = client
        self.tell: Callable[[str], None] = lambda _: None
        self.known: dict[str, tuple[int, _Shown]] = {}
        """The version and the state of each task that were seen last."""
        self._watch = watch

    def close(self) -> None:
        """Listen no more."""
        self._watch.discard(self)


class Watch:
    """Watches the tasks of a store."""

    def __init__(self, store: Callable[[], Store]) -> None:
        """Set up.

        Args:
            store: Returns the store that is in use.
        """
        self._store = store
        self._listeners: set[Listener] = set()
        self._places = Shares(MAX_WATCHED)
        self._loop: asyncio.Task[None] | None = None

    @property
    def watched(self) -> int:
        """How many tasks are watched, each as often as somebody listens to it."""
        return self._places.held

    def listen(self, tasks: Iterable[Stored], client: str) -> Listener:
        """Watch tasks, as far as there are places; `known` of what returns has those.

        Args:
            tasks: The tasks, as they were read.
            client: Who listens.
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
        """Forget who listened; whoever is forgotten already stays so."""
        self._listeners.discard(listener)
        self._places.give_back(listener.client, len(listener.known))
        listener.known = {}
        if not self._listeners and self._loop is not None:
            self._loop.cancel()
            self._loop = None

    def close(self) -> None:
        """Watch nothing more."""
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
        """Tell a listener of a task, if it shows another state; one that is gone says nothing."""
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
