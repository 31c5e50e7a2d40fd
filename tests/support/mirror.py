"""Follows the objects of a namespace, so that a test may wait for one without asking for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.notification import Event
from support.waiting import HANG_SECONDS, hang_guard


class Mirror:
    """A copy of some resources of a namespace that is up to date within milliseconds."""

    def __init__(self, informers: dict[Resource, Informer], namespace: str) -> None:
        self._informers = informers
        self._namespace = namespace
        self._news = asyncio.Event()
        for informer in informers.values():
            informer.add_handler(self._tell)

    def get(self, resource: Resource, name: str) -> Object | None:
        """Return an object as it was last seen."""
        return self._informers[resource].store.get(Key(self._namespace, name))

    def list(self, resource: Resource) -> list[Object]:
        """Return all objects of a resource as they were last seen."""
        return self._informers[resource].store.list()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of the copy.

        Raises:
            TimeoutError: It never did.
        """
        async with hang_guard():
            while not holds():
                await self._news.wait()

    def _tell(self, _: Event) -> None:
        self._news.set()
        self._news = asyncio.Event()


@contextlib.asynccontextmanager
async def mirrored(
    client: Client, namespace: str, resources: Iterable[Resource]
) -> AsyncIterator[Mirror]:
    """Follow some resources of a namespace until the block ends."""
    informers = InformerSet(client)
    copies = {each: informers.informer(each, namespace=namespace) for each in resources}
    following = asyncio.create_task(informers.run())
    try:
        await informers.wait_synced(HANG_SECONDS)
        yield Mirror(copies, namespace)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
