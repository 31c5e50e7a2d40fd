"""Sources of events, and the mappers that turn events into the keys to reconcile.

A mapper sees the object before and after the change, because a child that moves from one parent to
another affects both. It can find many keys, and the caches can change while it yields them. It need
not notice such a change, because the changed object gets an event of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from mcp_operator.core.meta import Key, Object, controller_of, key_of
from mcp_operator.runtime.notification import Event, Handler

Mapper = Callable[[Event], Iterable[Key]]


class Source(Protocol):
    """What a controller needs from an informer."""

    synced: asyncio.Event
    """Set once the handlers have received the initial list."""

    def add_handler(self, handler: Handler, /) -> None:
        """Call `handler` for every known object now, and for every event from now on."""


class Channel:
    """A source of events from inside the process; controller-runtime's `source.Channel`.

    For changes that no watch reports: another part of the process names the objects to reconcile.

    Args:
        name: A description of the events.

    Attributes:
        synced: Always set, because there is no initial list.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.synced = asyncio.Event()
        self.synced.set()
        self._handlers: list[Handler] = []

    def add_handler(self, handler: Handler, /) -> None:
        """Call `handler` for every event from now on."""
        self._handlers.append(handler)

    def send(self, key: Key) -> None:
        """Send a `Generic` event for an object of which only the key is known."""
        event = Event("Generic", None, {"metadata": key._asdict()})
        for handler in self._handlers:
            handler(event)


def for_object() -> Mapper:
    """Map an event to its object; controller-runtime's EnqueueRequestForObject."""
    return lambda event: (key_of(event.object),)


def for_owner(group: str, kind: str) -> Mapper:
    """Map an event to the controller of its object; EnqueueRequestForOwner.

    Args:
        group: The API group of the owner. The version is not compared, because an owner reference
            keeps the version it was written with.
        kind: The kind of the owner.
    """

    def owners(obj: Object) -> Iterable[Key]:
        reference = controller_of(obj)
        if reference is None or reference["kind"] != kind:
            return
        if reference["apiVersion"].rpartition("/")[0] == group:
            yield Key(key_of(obj).namespace, reference["name"])

    return mapped(owners)


def mapped(keys_of: Callable[[Object], Iterable[Key]]) -> Mapper:
    """Map an event to the keys for its old and new objects; EnqueueRequestsFromMapFunc."""

    def mapper(event: Event) -> Iterable[Key]:
        keys = set[Key]()
        for obj in (event.old, event.new):
            for key in keys_of(obj) if obj is not None else ():
                if key not in keys:
                    keys.add(key)
                    yield key

    return mapper
