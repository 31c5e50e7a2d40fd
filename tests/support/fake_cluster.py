"""An in-memory replacement of an API server, for code that reads single objects."""

from __future__ import annotations

import asyncio

from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.notification import Event, Handler


class FakeCluster:
    """Objects by name, an informer for the index, and a log of the reads."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.reads: list[str] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.synced = asyncio.Event()
        self._handlers: list[Handler] = []

    def add_handler(self, handler: Handler, /) -> None:
        self._handlers.append(handler)

    async def get(self, resource: Resource, key: Key) -> Object:
        self.reads.append(f"{resource.plural}/{key.name}")
        await self.gate.wait()
        if self.error:
            raise self.error
        if key.name not in self.objects:
            raise ApiError(404, "NotFound", f"{resource.plural} {key.name!r} not found")
        return self.objects[key.name]

    def publish(self, objects: dict[str, Object]) -> None:
        """Store objects; the first is the index, which the informer reports."""
        self.objects.update(objects)
        self.notify(Event("Updated", None, next(iter(objects.values()))))

    def notify(self, event: Event) -> None:
        for handler in self._handlers:
            handler(event)
