"""Applies changes of objects to the store of an informer, and notifies the event handlers.

Changes come from lists, from watches and from the responses to our own writes. Responses enter the
store before the watch delivers the same state, so that reconcilers read their own writes. As the
three can overtake each other, resourceVersions decide, which are comparable within one resource
(KEP-5504):

- A response to a write is ignored if the watch is past its version: the watch knows more, and may
  already have reported a deletion.
- An object from a watch or list is ignored if the store has the same or a newer state.
- A list removes only objects that are not newer than the list.

If the API server's data is rolled back, for example by a restore of etcd, versions are reused and
no longer show which state is newer. Each cached object is then suspect until a list or the response
to a write reports it: any other state replaces it, as if the object had been deleted and recreated,
because generations are reused as well.

A change is processed in one step of the event loop, so a handler never sees a store that is older
than its event.

Objects of namespaces outside the view are kept separately, so that they can be added to the store
in one step. Handlers do not get events for them before that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

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
from mcp_operator.runtime.scope import View
from mcp_operator.runtime.selection import Selection
from mcp_operator.runtime.store import Objects, Store

_log = logging.getLogger(__name__)


class DeltaProcessor:
    """Updates the store for one selection of a resource, and calls handlers; Go: processDeltas.

    Args:
        resource: The resource.
        selection: Which of its objects are cached.
        metrics: Where the state of the store is recorded.
        view: The namespaces that the store shows; all if None.
        store: The store, if processors of other namespaces share it.
        handlers: The handlers, if processors of other namespaces share them.

    Attributes:
        store: The known objects in view.
        resource_version: All changes up to this version are known; 0 until the initial list is
            complete.
        synced: Set once the initial list is complete.
        distrusted: Whether the cache is waiting for a list, because of a rollback.
    """

    def __init__(
        self,
        resource: Resource,
        selection: Selection,
        *,
        metrics: RuntimeMetrics,
        view: View | None = None,
        store: Store | None = None,
        handlers: list[Handler] | None = None,
    ) -> None:
        self.store = Store() if store is None else store
        self.resource_version = 0
        self.synced = asyncio.Event()
        self.distrusted = False
        self._resource = resource
        self._selection = selection
        self._view = View() if view is None else view
        self._hidden: dict[str, dict[Key, Object]] = {}
        self._handlers: list[Handler] = [] if handlers is None else handlers
        self._outdated: dict[Key, Object] = {}
        self._suspect = set[Key]()
        self._objects = metrics.informer_objects.labels(resource.kind).inc
        self._counted = 0
        self._last_event = metrics.informer_last_event.labels(resource.kind).set
        self._version = metrics.store_resource_version.labels(
            resource.group, resource.version, resource.plural
        ).set

    def add_handler(self, handler: Handler) -> None:
        """Call a handler for every known object now, and for every change from now on."""
        self._handlers.append(handler)
        for obj in self.store:
            handler(Event("Created", None, obj, initial=True))

    def upsert(self, obj: Object) -> Key:
        """Process an object that a list or watch reported, and return its key."""
        key = key_of(obj)
        if key in self._suspect:
            self._replace(key, obj)
        elif not self._put(key, obj):
            self._outdated[key] = obj
        return key

    def remove(self, obj: Object) -> None:
        """Process a deletion that a watch reported."""
        key = key_of(obj)
        old = self._known(key)
        older = 0 < resource_version_of(obj) < resource_version_of(old or obj)
        if old is not None and (key in self._suspect or not older):
            self._suspect.discard(key)
            self._delete(old)

    def distrust(self) -> None:
        """After a rollback, let the next list replace the cache, whatever the versions are."""
        self.distrusted = True
        self._suspect = {*self._keys()}
        self.resource_version = 0

    def advance(self, resource_version: str) -> None:
        """Record that the watch has reported all changes up to a version."""
        if resource_version.isdecimal():
            self.resource_version = int(resource_version)
            self._version(self.resource_version)
        self._count()
        self._last_event(time.time())
        self._outdated.clear()

    def complete(self, present: set[Key], resource_version: str) -> None:
        """Finish a list, and remove the objects whose keys it did not contain.

        The version is empty if the API server does not serve the resource at all.
        """
        listed_at = int(resource_version) if resource_version.isdecimal() else 0
        if 0 < listed_at < self.resource_version:
            # Lists are consistent reads, so etcd was restored from a backup.
            _log.warning(
                "The API server's data was rolled back; the list replaces the cache",
                extra={"kind": self._resource.kind},
            )
            self.distrust()
            for obj in self._outdated.values():
                self.upsert(obj)
        for key in {*self._keys()} - present:
            old = self._known(key)
            regardless = not listed_at or key in self._suspect
            if old is not None and (regardless or resource_version_of(old) <= listed_at):
                self._delete(old, final_state_unknown=True)
        self._suspect.clear()
        self.distrusted = False
        self.advance(resource_version)
        self.synced.set()

    def written(self, obj: Object) -> None:
        """Process the response to one of our own writes."""
        if resource_version_of(obj) <= self.resource_version:
            return
        if not self._selection.matches(obj):
            return
        if self._selection.metadata_only:
            obj = {name: obj[name] for name in ("apiVersion", "kind", "metadata")}
        key = key_of(obj)
        if key in self._suspect:
            self._replace(key, obj)
        else:
            self._put(key, obj)

    def resync(self, obj: Object) -> None:
        """Notify the handlers of an object that has not changed."""
        self.dispatch(Event("Generic", None, obj, initial=True))

    def reveal(self, namespace: str) -> Iterator[Event]:
        """Move the objects of a namespace that has come into view into the store.

        Pass the returned events to `dispatch` after the stores of all resources have the namespace.
        """
        found = self._hidden.pop(namespace, {})
        for obj in found.values():
            self.store.put(obj)
        self._count()
        return (Event("Created", None, obj, initial=True) for obj in found.values())

    def hide(self, namespace: str) -> Iterator[Event]:
        """Move the objects of a namespace that is no longer in view out of the store.

        Pass the returned events to `dispatch` after the stores of all resources have lost it.
        """
        found: Objects = self.store.list(namespace) if self._covers(namespace) else []
        for obj in found:
            self.store.remove(key_of(obj))
            self._hidden.setdefault(namespace, {})[key_of(obj)] = obj
        self._count()
        return (Event("Deleted", obj, None) for obj in found)

    def dispatch(self, event: Event) -> None:
        """Notify the handlers."""
        for handler in self._handlers:
            handler(event)

    def _replace(self, key: Key, obj: Object) -> None:
        """Store the state of an object after a rollback, unless it is exactly what is cached."""
        self._suspect.discard(key)
        old = self._known(key)
        if old is not None and old != obj:
            self._delete(old, final_state_unknown=True)
        self._put(key, obj)

    def _put(self, key: Key, obj: Object) -> bool:
        """Store an object and notify the handlers; return False if it is not newer."""
        old = self._known(key)
        version = resource_version_of(obj)
        if old is not None and 0 < version <= resource_version_of(old):
            return False
        if old is not None and uid_of(old) != uid_of(obj):
            # Deleted and recreated unseen: send both events, as the watch would have.
            self._delete(old, final_state_unknown=True)
            old = None
        if UNREADABLE in obj and UNREADABLE not in (old or ()):
            _log.warning(
                "An object cannot be read; it is treated as invalid until it changes",
                extra={"object": f"{self._resource.kind} {key}", "error": obj[UNREADABLE]},
            )
        if key.namespace not in self._view:
            self._hidden.setdefault(key.namespace, {})[key] = obj
            return True
        self.store.put(obj)
        if old is None:
            self.dispatch(Event("Created", None, obj, initial=not self.synced.is_set()))
        else:
            self.dispatch(Event("Updated", old, obj))
        return True

    def _delete(self, old: Object, *, final_state_unknown: bool = False) -> None:
        key = key_of(old)
        hidden = self._hidden.get(key.namespace)
        if hidden and hidden.pop(key, None) is not None:
            if not hidden:
                del self._hidden[key.namespace]
            return
        self.store.remove(key)
        self.dispatch(Event("Deleted", old, None, final_state_unknown=final_state_unknown))

    def _known(self, key: Key) -> Object | None:
        hidden = self._hidden.get(key.namespace)
        return (hidden and hidden.get(key)) or self.store.get(key)

    def _covers(self, namespace: str) -> bool:
        return self._selection.namespace in {"", namespace}

    def _keys(self) -> Iterator[Key]:
        yield from self.store.keys(self._selection.namespace)
        for hidden in self._hidden.values():
            yield from hidden

    def _count(self) -> None:
        count = self.store.count(self._selection.namespace)
        self._objects(count - self._counted)
        self._counted = count
