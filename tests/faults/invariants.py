"""What holds at every moment of an operator's life, watched from inside its process."""

from __future__ import annotations

from mcp_operator.core.meta import Key, key_of
from mcp_operator.runtime.informer import Informer
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.reconcile import Reconciler, Result
from support.operators import Operator


class Exclusive:
    """Passes keys on to a reconciler, and fails if one key is with two workers at a time."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._busy: set[Key] = set()
        self.broken: list[Key] = []

    async def reconcile(self, request: Key) -> Result | None:
        if request in self._busy:
            self.broken.append(request)
        self._busy.add(request)
        try:
            return await self._reconciler.reconcile(request)
        finally:
            self._busy.discard(request)


class Told:
    """Collects what an informer tells; at any time that is what its store holds."""

    def __init__(self, informer: Informer) -> None:
        self.informer = informer
        self.known: dict[Key, str] = {}
        self.broken: list[str] = []
        informer.add_handler(self._hear)

    def _hear(self, event: Event) -> None:
        key, uid = key_of(event.object), event.object["metadata"]["uid"]
        if event.type == "Deleted":
            if self.known.pop(key, "") != uid:
                self.broken.append(f"{key} is deleted, but was not known")
        else:
            if event.type == "Created" and key in self.known:
                self.broken.append(f"{key} is created, but was known")
            if self.known.get(key, uid) != uid:
                self.broken.append(f"{key} is another object, but was not deleted")
            self.known[key] = uid


class Watchdog:
    """Watches over one operator from its start to its end."""

    def __init__(self, operator: Operator) -> None:
        self._exclusives = []
        for controller in operator._controllers:
            exclusive = Exclusive(controller._reconciler)
            controller._reconciler = exclusive
            self._exclusives.append(exclusive)
        self._told = [Told(informer) for informer in operator.informers]

    def check(self) -> None:
        """Raise if a key was with two workers, or an informer told anything but the truth."""
        for exclusive in self._exclusives:
            assert not exclusive.broken, f"with two workers: {exclusive.broken}"
        for told in self._told:
            assert not told.broken, f"{told.informer.resource}: {told.broken}"
            held = told.informer.store.keys()
            assert told.known.keys() == held, f"told {sorted(told.known)}, but holds {sorted(held)}"
