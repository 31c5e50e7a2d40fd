"""A cache of the objects of a namespace, so that tests can wait for one without polling."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.notification import Event
from support.waiting import HANG_SECONDS, hang_guard


class NamespaceCache:
    """The objects of some resources in a namespace, which informers keep up to date."""

    def __init__(self, informers: dict[Resource, Informer], namespace: str) -> None:
        self._informers = informers
        self._namespace = namespace
        self._changed = asyncio.Event()
        for informer in informers.values():
            informer.add_handler(self._notify)

    def get(self, resource: Resource, name: str) -> Object | None:
        """Return an object in its last known state."""
        return self._informers[resource].store.get(Key(self._namespace, name))

    def list(self, resource: Resource) -> list[Object]:
        """Return all objects of a resource in their last known state."""
        return self._informers[resource].store.list()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds for the cached objects.

        Raises:
            TimeoutError: The condition did not hold in time.
        """
        async with hang_guard():
            while not holds():
                await self._changed.wait()

    def _notify(self, _: Event) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@contextlib.asynccontextmanager
async def namespace_cache(
    client: Client, namespace: str, resources: Iterable[Resource]
) -> AsyncIterator[NamespaceCache]:
    """Watch some resources of a namespace until the block ends."""
    informers = InformerSet(client)
    copies = {each: informers.informer(each, namespace=namespace) for each in resources}
    following = asyncio.create_task(informers.run())
    try:
        await informers.wait_synced(HANG_SECONDS)
        yield NamespaceCache(copies, namespace)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
