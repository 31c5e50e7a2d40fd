"""Where events come from, and whom they concern.

A mapper turns an event into the keys to reconcile. It sees the object before and after, because a
child that moves from one parent to another concerns both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from mcp_operator.core.meta import Key, Object, controller_of, key_of
from mcp_operator.runtime.notification import Event, Handler

Mapper = Callable[[Event], Iterable[Key]]


class Source(Protocol):
    """What a controller needs of an informer."""

    synced: asyncio.Event
    """Set once the events of the first list have been handed out."""

    def add_handler(self, handler: Handler, /) -> None:
        """Call `handler` for every event from now on; for what is known already as well."""


class Channel:
    """A source of events from inside the process; controller-runtime's `source.Channel`.

    For what no watch tells: something else in the process found out that objects have to be
    reconciled, and names them.

    Args:
        name: What the events are about, for people.

    Attributes:
        synced: Always set: nothing is listed first.
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
        """Send a `Generic` event whose object is a name and nothing else."""
        event = Event("Generic", None, {"metadata": key._asdict()})
        for handler in self._handlers:
            handler(event)


def for_object() -> Mapper:
    """Map an event to its own object."""
    return lambda event: (key_of(event.object),)


def for_owner(group: str, kind: str) -> Mapper:
    """Map an event to the managing owner of its object.

    Args:
        group: The API group of the owner. Its version is not compared: an owner reference keeps the
            one it was written with.
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
    """Map an event to the keys of the old object and those of the new, each once."""

    def mapper(event: Event) -> Iterable[Key]:
        keys: dict[Key, None] = {}
        for obj in (event.old, event.new):
            if obj is not None:
                keys.update(dict.fromkeys(keys_of(obj)))
        return keys

    return mapper
