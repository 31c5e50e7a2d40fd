"""Invariants of a running operator, checked from inside its process."""

from __future__ import annotations

from mcp_operator.core.meta import Key, key_of
from mcp_operator.runtime.informer import Informer
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.reconcile import Reconciler, Result
from support.operators import Operator


class Exclusive:
    """Wraps a reconciler, and records keys that two workers reconcile at the same time."""

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


class Notified:
    """Collects the events of an informer, which must always add up to the content of its store."""

    def __init__(self, informer: Informer) -> None:
        self.informer = informer
        self.known: dict[Key, str] = {}
        self.broken: list[str] = []
        informer.add_handler(self._record)

    def _record(self, event: Event) -> None:
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
    """Checks the invariants of one operator."""

    def __init__(self, operator: Operator) -> None:
        self._exclusives = []
        for controller in operator._controllers:
            exclusive = Exclusive(controller._reconciler)
            controller._reconciler = exclusive
            self._exclusives.append(exclusive)
        self._notified = [Notified(informer) for informer in operator.informers]

    def check(self) -> None:
        """Raise if two workers had the same key, or if events do not match the store."""
        for exclusive in self._exclusives:
            assert not exclusive.broken, f"reconciled by two workers: {exclusive.broken}"
        for notified in self._notified:
            assert not notified.broken, f"{notified.informer.resource}: {notified.broken}"
            held = notified.informer.store.keys()
            assert notified.known.keys() == held, (
                f"notified of {sorted(notified.known)}, but holds {sorted(held)}"
            )
