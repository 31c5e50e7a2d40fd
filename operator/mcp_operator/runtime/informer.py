"""Shared caches of the API server's objects, kept fresh, that tell of every change."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Final, Unpack

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.cache import Cache
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.notification import Handler
from mcp_operator.runtime.reflector import Reflector
from mcp_operator.runtime.selection import ListOptions, Selection
from mcp_operator.runtime.store import IndexFunction, Store

RESYNC_PERIOD: Final = 36_000.0
"""Seconds, give or take a tenth; controller-runtime, pkg/cache, defaultSyncPeriod."""

MAX_IDLE: Final = 600.0
"""Seconds without any activity after which an informer counts as stuck. A watch is over after a
minute of silence, and the longest pause between two tries is a minute, too."""

_YIELD_EVERY: Final = 500


class SyncTimeoutError(OperatorError):
    """A cache did not fill in time; the text names it and what is in the way."""


@dataclass(frozen=True, slots=True)
class _Spec:
    """What makes two informers the same."""

    resource: Resource
    selection: Selection
    optional: bool


class Informer:
    """A cache of one selection of a resource.

    Attributes:
        store: The objects; complete once `synced` is set.
        synced: Set once the first list is complete, or an optional kind was found missing.
    """

    def __init__(self, client: Client, spec: _Spec, options: ListOptions) -> None:
        self.resource = spec.resource
        self.cache = Cache(spec.resource, spec.selection, metrics=client.metrics)
        self.store: Store = self.cache.store
        self.synced: asyncio.Event = self.cache.synced
        self._reflector = Reflector(
            client,
            spec.resource,
            options,
            self.cache,
            optional=spec.optional,
            metrics=client.metrics,
        )

    @property
    def problem(self) -> str:
        """What keeps the cache from being fresh, as a sentence; empty while all is well."""
        return self._reflector.problem

    @property
    def served(self) -> bool:
        """Whether the cluster has the kind; only an optional one may be missing."""
        return self._reflector.served

    @property
    def active_at(self) -> float:
        """When anything was last received or asked for, in the loop's time."""
        return self._reflector.active_at

    def add_index(self, name: str, values: IndexFunction) -> None:
        """Make objects findable by the values that a function returns for them.

        Raises:
            ValueError: There is an index of that name already.
        """
        self.store.add_index(name, values)

    def add_handler(self, handler: Handler) -> None:
        """Have a function called for every change, and now for what is known already."""
        self.cache.add_handler(handler)

    async def run(self) -> None:
        """Keep the cache fresh until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reflector.run(), name=f"reflector {self.resource}")
            group.create_task(self._resync_now_and_then(), name=f"resync {self.resource}")

    async def resync(self) -> None:
        """Tell the handlers of every object once more, though nothing happened to it."""
        for number, obj in enumerate(self.store.list(), start=1):
            self.cache.resync(obj)
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _resync_now_and_then(self) -> None:
        while True:
            # The spread spreads load, and guards no secret.
            await asyncio.sleep(RESYNC_PERIOD * random.uniform(0.9, 1.1))  # noqa: S311
            await self.resync()


class InformerSet:
    """All informers of a process, so that each selection is cached and watched once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[_Spec, Informer] = {}
        self._caches: dict[Resource, list[Cache]] = {}
        self._group: asyncio.TaskGroup | None = None
        client.observe_writes(self._written)

    def informer(
        self, resource: Resource, *, optional: bool = False, **options: Unpack[ListOptions]
    ) -> Informer:
        """Return the informer of a selection; the same one for the same arguments.

        Args:
            resource: What to cache.
            optional: A cluster that does not serve the kind has none of it; it is looked for
                again now and then.
            options: Which of the objects, and how much of them; selectors as `name=value`.

        Raises:
            ValueError: A selector is of a form that cannot be decided on this side.
        """
        spec = _Spec(resource, Selection(**options), optional)
        informer = self._informers.get(spec)
        if informer is None:
            informer = self._informers[spec] = Informer(self._client, spec, options)
            self._caches.setdefault(resource, []).append(informer.cache)
            if self._group is not None:
                self._start(self._group, informer)
        return informer

    async def run(self) -> None:
        """Run all informers, those added later too, until cancelled or one of them dies."""
        async with asyncio.TaskGroup() as self._group:
            for informer in self._informers.values():
                self._start(self._group, informer)
            await asyncio.Event().wait()

    async def wait_synced(self, timeout: float) -> None:  # noqa: ASYNC109  # it names what is late
        """Wait until all informers there are now have synced.

        Raises:
            SyncTimeoutError: One took longer than `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                for informer in [*self._informers.values()]:
                    await informer.synced.wait()
        except TimeoutError as error:
            missing = "; ".join(
                f"{informer.resource} ({informer.problem or 'no answer yet'})"
                for informer in self._informers.values()
                if not informer.synced.is_set()
            )
            raise SyncTimeoutError(
                f"not listed within {timeout:g} s: {missing}. "
                "Check that the kinds are installed and that RBAC allows list and watch"
            ) from error

    def stuck(self) -> str:
        """Name the caches that have given up following the API server; say nothing if none has.

        A server that cannot be reached is no reason: it is asked again and again.
        """
        since = asyncio.get_running_loop().time() - MAX_IDLE
        silent = [str(each.resource) for each in self._informers.values() if each.active_at < since]
        return f"nothing is done to follow {', '.join(silent)}" if silent else ""

    def _start(self, group: asyncio.TaskGroup, informer: Informer) -> None:
        group.create_task(informer.run(), name=f"informer {informer.resource}")

    def _written(self, resource: Resource, obj: Object) -> None:
        for cache in self._caches.get(resource, ()):
            cache.written(obj)
