"""A client without a server, with scripted reads and in-memory writes."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object, Resource, key_of, uid_of
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client, WriteObserver
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.wire import Page, WatchEvent

Step = WatchEvent | ApiError | float
"""A step of a watch: an event, a failure, or seconds without events."""


class FakeClient(Client):
    """Answers lists and watches from a script; after its end, watches are silent."""

    def __init__(self) -> None:
        self.metrics = RuntimeMetrics(new_registry())
        self.lists: deque[Sequence[Page] | ApiError] = deque()
        self.watches: deque[Sequence[Step]] = deque()
        self.asked: list[dict[str, Any]] = []
        self.observers: list[WriteObserver] = []
        self.guards: list[Callable[[], None]] = []
        self.objects: dict[tuple[Resource, Key], Object] = {}
        self.writes: list[tuple[str, Object]] = []
        self.failures: deque[OperatorError | None] = deque()
        self.newest = ""
        self._versions = itertools.count(100)

    def observe_writes(self, callback: WriteObserver) -> None:
        self.observers.append(callback)

    def guard_writes(self, guard: Callable[[], None]) -> None:
        self.guards.append(guard)

    async def current_version(self, resource: Resource, **arguments: Any) -> str:
        return self.newest

    async def list_pages(self, resource: Resource, **arguments: Any) -> AsyncGenerator[Page, None]:
        self.asked.append({"verb": "list", **arguments})
        script = self.lists.popleft()
        if isinstance(script, ApiError):
            raise script
        for page in script:
            yield page

    async def watch(self, resource: Resource, **arguments: Any) -> AsyncGenerator[WatchEvent, None]:
        self.asked.append({"verb": "watch", **arguments})
        if not self.watches:
            await asyncio.Event().wait()
        for step in self.watches.popleft():
            if isinstance(step, ApiError):
                raise step
            if isinstance(step, WatchEvent):
                yield step
            else:
                await asyncio.sleep(step)

    async def get(self, resource: Resource, key: Key) -> Object:
        try:
            return self.objects[resource, key]
        except KeyError:
            raise ApiError(404, "NotFound", f"{key} not found") from None

    async def create(self, resource: Resource, obj: Object) -> Object:
        self._record("create", obj)
        if (resource, key_of(obj)) in self.objects:
            raise ApiError(409, "AlreadyExists", "it exists")
        return self._store(resource, obj)

    async def apply(
        self,
        resource: Resource,
        obj: Object,
        *,
        subresource: str = "",
        field_manager: str = "",
    ) -> Object:
        """Store the object as it is, if the preconditions on version and uid hold.

        As on a real server, a uid is not a precondition for a subresource.
        """
        self._record(f"apply as {field_manager}" if field_manager else "apply", obj)
        metadata = obj["metadata"]
        live = self.objects.get((resource, key_of(obj)))
        if live is None and (subresource or "uid" in metadata):
            raise ApiError(404 if subresource else 409, "NotFound", "it does not exist")
        if live is not None:
            for name in ("resourceVersion",) if subresource else ("uid", "resourceVersion"):
                if metadata.get(name, live["metadata"][name]) != live["metadata"][name]:
                    raise ApiError(409, "Conflict", f"{name} does not match")
        return self._store(resource, obj)

    async def merge_patch(
        self, resource: Resource, key: Key, patch: Object, *, subresource: str = ""
    ) -> Object:
        self._record("patch", patch)
        return self._store(resource, {**await self.get(resource, key), **patch})

    async def replace(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        self._record("replace", obj)
        live = await self.get(resource, key_of(obj))
        if obj["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        return self._store(resource, obj)

    async def delete(
        self, resource: Resource, key: Key, *, uid: str = "", resource_version: str = ""
    ) -> None:
        live = await self.get(resource, key)
        self._record("delete", live)
        if uid not in {"", uid_of(live)}:
            raise ApiError(409, "Conflict", "uid does not match")
        del self.objects[resource, key]

    def _record(self, verb: str, obj: Object) -> None:
        self.writes.append((verb, obj))
        failure = self.failures.popleft() if self.failures else None
        if failure is not None:
            raise failure

    def _store(self, resource: Resource, obj: Object) -> Object:
        version = str(next(self._versions))
        metadata = {"uid": f"uid-{version}", **obj["metadata"], "resourceVersion": version}
        stored = {**obj, "metadata": metadata}
        self.objects[resource, key_of(obj)] = stored
        for observer in self.observers:
            observer(resource, stored)
        return stored
