"""Decides what of all that is heard about objects is news, stores it and tells the handlers.

Objects are heard of on three ways: lists, watches, and the answers to our own writes. The third is
what makes the program read its own writes: an answer enters the store at once, not when the watch
gets round to it. That the three may overtake each other is settled by resourceVersions, which are
comparable within one resource (KEP-5504):

- A write is ignored if the watch has already got past it: the watch knows better, it may even have
  told that the object is gone.
- What a watch or a list tells is ignored if the store has the same state or a newer one.
- A list removes nothing that is newer than the list itself.

Everything happens within one step of the event loop, so a handler never sees a store that is older
than its event.
"""

from __future__ import annotations

import asyncio
import logging
import time

from mcp_operator.core.meta import (
    UNREADABLE,
    Key,
    Object,
    Resource,
    key_of,
    resource_version_of,
    uid_of,
)
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.notification import Event, Handler
from mcp_operator.runtime.selection import Selection
from mcp_operator.runtime.store import Store

_log = logging.getLogger(__name__)


class Cache:
    """The store of one selection of a resource, and those who want to know of changes.

    Attributes:
        store: What is known to exist.
        synced: Set once the first list is complete.
    """

    def __init__(
        self, resource: Resource, selection: Selection, *, metrics: RuntimeMetrics
    ) -> None:
        self.store = Store()
        self.synced = asyncio.Event()
        self._resource = resource
        self._selection = selection
        self._handlers: list[Handler] = []
        self._older: dict[Key, Object] = {}
        self._objects = metrics.informer_objects.labels(resource.kind).inc
        self._counted = 0
        self._last_event = metrics.informer_last_event.labels(resource.kind).set
        self._version = metrics.store_resource_version.labels(
            resource.group, resource.version, resource.plural
        ).set

    def add_handler(self, handler: Handler) -> None:
        """Have a function called for every change, and now for what is known already."""
        self._handlers.append(handler)
        for obj in self.store:
            handler(Event("Created", None, obj, initial=True))

    def upsert(self, obj: Object) -> Key:
        """Take an object that a list or a watch told of, and return its name."""
        key = key_of(obj)
        if not self._put(key, obj):
            self._older[key] = obj
        return key

    def remove(self, obj: Object) -> None:
        """Take a deletion that a watch told of."""
        old = self.store.get(key_of(obj))
        version = resource_version_of(obj)
        if old is not None and not 0 < version < resource_version_of(old):
            self._delete(old)

    def advance(self, resource_version: str) -> None:
        """Take note that the watch has told every change up to a version."""
        if resource_version.isdecimal():
            self.store.resource_version = int(resource_version)
            self._version(self.store.resource_version)
        self._objects(len(self.store) - self._counted)
        self._counted = len(self.store)
        self._last_event(time.time())
        self._older.clear()

    def complete(self, present: set[Key], resource_version: str) -> None:
        """Take note that a list is complete, and remove what it did not tell of.

        Args:
            present: The names of all objects of the list.
            resource_version: The version of the list; empty if the kind itself is not there.
        """
        listed_at = int(resource_version) if resource_version.isdecimal() else 0
        went_back = 0 < listed_at < self.store.resource_version
        if went_back:
            # Lists are consistent reads, so the server's data was restored from a backup.
            _log.warning(
                "The API server's data is older than before; the list replaces the cache",
                extra={"kind": self._resource.kind},
            )
            for key, obj in self._older.items():
                self._put(key, obj, newer_only=False)
        for key in self.store.keys() - present:
            old = self.store.get(key)
            regardless = not listed_at or went_back
            if old is not None and (regardless or resource_version_of(old) <= listed_at):
                self._delete(old, final_state_unknown=True)
        self.advance(resource_version)
        self.synced.set()

    def written(self, obj: Object) -> None:
        """Take what the server answered to one of our own writes."""
        if resource_version_of(obj) <= self.store.resource_version:
            return
        if not self._selection.matches(obj):
            return
        if self._selection.metadata_only:
            obj = {name: obj[name] for name in ("apiVersion", "kind", "metadata")}
        self._put(key_of(obj), obj)

    def resync(self, obj: Object) -> None:
        """Tell the handlers of an object once more, though nothing happened to it."""
        self._dispatch(Event("Generic", None, obj, initial=True))

    def _put(self, key: Key, obj: Object, *, newer_only: bool = True) -> bool:
        """Store an object and tell of it; return False if it is no news."""
        old = self.store.get(key)
        version = resource_version_of(obj)
        if old is not None and newer_only and 0 < version <= resource_version_of(old):
            return False
        if old is not None and uid_of(old) != uid_of(obj):
            # Deleted and made anew while nobody looked: two events, as if it had been seen.
            self._delete(old, final_state_unknown=True)
            old = None
        if UNREADABLE in obj and UNREADABLE not in (old or ()):
            _log.warning(
                "An object cannot be read; it is treated as invalid until it changes",
                extra={"object": f"{self._resource.kind} {key}", "error": obj[UNREADABLE]},
            )
        self.store.put(obj)
        if old is None:
            self._dispatch(Event("Created", None, obj, initial=not self.synced.is_set()))
        else:
            self._dispatch(Event("Updated", old, obj))
        return True

    def _delete(self, old: Object, *, final_state_unknown: bool = False) -> None:
        self.store.remove(key_of(old))
        self._dispatch(Event("Deleted", old, None, final_state_unknown=final_state_unknown))

    def _dispatch(self, event: Event) -> None:
        for handler in self._handlers:
            handler(event)
