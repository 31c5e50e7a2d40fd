"""Informers: shared caches of the API server's objects that call handlers on every change."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Final, Unpack

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Object, Resource, key_of
from mcp_operator.core.tasks import in_steps
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.deltas import DeltaProcessor
from mcp_operator.runtime.notification import Handler
from mcp_operator.runtime.reflector import Reflector
from mcp_operator.runtime.selection import ListOptions, Selection
from mcp_operator.runtime.sources import Channel
from mcp_operator.runtime.store import IndexFunction, Store

RESYNC_PERIOD: Final = 36_000.0
"""Seconds, give or take a tenth; controller-runtime, pkg/cache, defaultSyncPeriod."""

MAX_IDLE: Final = 600.0
"""Seconds without activity after which an informer counts as stuck. A silent watch ends after about
a minute, and the longest pause between two retries is a minute, too."""


class SyncTimeoutError(OperatorError):
    """A cache did not sync in time; the text names it and the problem."""


@dataclass(frozen=True, slots=True)
class _Spec:
    """Identifies an informer; equal specs share one."""

    resource: Resource
    selection: Selection
    optional: bool


class Informer:
    """Caches one selection of a resource; client-go's SharedIndexInformer.

    Attributes:
        store: The objects; complete once `synced` is set.
        synced: Set once the initial list is complete, or an optional resource is not served.
    """

    def __init__(self, client: Client, spec: _Spec, options: ListOptions) -> None:
        self.resource = spec.resource
        self.processor = DeltaProcessor(spec.resource, spec.selection, metrics=client.metrics)
        self.store: Store = self.processor.store
        self.synced: asyncio.Event = self.processor.synced
        self._reflector = Reflector(
            client,
            spec.resource,
            options,
            self.processor,
            optional=spec.optional,
            metrics=client.metrics,
        )

    @property
    def problem(self) -> str:
        """The last error, as a sentence; empty while the cache is up to date."""
        return self._reflector.problem

    @property
    def served(self) -> bool:
        """Whether the cluster serves the resource; only an optional one may be missing."""
        return self._reflector.served

    @property
    def missing(self) -> bool:
        """Whether the cluster has answered that it does not know the resource, optional or not."""
        return self._reflector.missing

    @property
    def availability(self) -> Channel:
        """A source of an event whenever `missing` changes; its key stands for no object."""
        return self._reflector.availability

    @property
    def active_at(self) -> float:
        """When anything was last received or requested, in the loop's time."""
        return self._reflector.active_at

    def add_index(self, name: str, values: IndexFunction) -> None:
        """Index objects by the values that a function returns for them.

        Raises:
            ValueError: An index of that name exists.
        """
        self.store.add_index(name, values)

    def add_handler(self, handler: Handler) -> None:
        """Call a handler for every known object now, and for every change from now on."""
        self.processor.add_handler(handler)

    async def run(self) -> None:
        """Keep the cache up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reflector.run(), name=f"reflector {self.resource}")
            group.create_task(self._resync_periodically(), name=f"resync {self.resource}")

    async def resync(self) -> None:
        """Notify the handlers of every object, although none has changed."""
        async for obj in in_steps(self.store.list()):
            if self.store.get(key_of(obj)) is obj:  # else it has changed or gone meanwhile
                self.processor.resync(obj)

    async def _resync_periodically(self) -> None:
        while True:
            jitter = random.uniform(0.9, 1.1)  # noqa: S311  # spreads load, guards no secret
            await asyncio.sleep(RESYNC_PERIOD * jitter)
            await self.resync()


class InformerSet:
    """All informers of a process. Each selection is watched and cached only once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[_Spec, Informer] = {}
        self._processors: dict[Resource, list[DeltaProcessor]] = {}
        self._group: asyncio.TaskGroup | None = None
        client.observe_writes(self._observe_write)

    def informer(
        self, resource: Resource, *, optional: bool = False, **options: Unpack[ListOptions]
    ) -> Informer:
        """Return the informer of a selection; the same one for the same arguments.

        Args:
            resource: What to cache.
            optional: If the cluster does not serve the resource, treat it as empty, and check
                again from time to time.
            options: The selection; `Selection` says which selectors are supported.

        Raises:
            ValueError: A selector is not supported.
        """
        spec = _Spec(resource, Selection(**options), optional)
        informer = self._informers.get(spec)
        if informer is None:
            informer = self._informers[spec] = Informer(self._client, spec, options)
            self._processors.setdefault(resource, []).append(informer.processor)
            if self._group is not None:
                self._start(self._group, informer)
        return informer

    async def run(self) -> None:
        """Run all informers, including those added later, until cancelled or one of them fails."""
        async with asyncio.TaskGroup() as self._group:
            for informer in self._informers.values():
                self._start(self._group, informer)
            await asyncio.Event().wait()

    async def wait_synced(self, timeout: float) -> None:  # noqa: ASYNC109  # names what is late
        """Wait until all current informers have synced.

        Raises:
            SyncTimeoutError: One took longer than `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                for informer in [*self._informers.values()]:
                    await informer.synced.wait()
        except TimeoutError as error:
            missing = "; ".join(
                f"{informer.resource} ({informer.problem or 'no response yet'})"
                for informer in self._informers.values()
                if not informer.synced.is_set()
            )
            raise SyncTimeoutError(
                f"caches not synced within {timeout:g} s: {missing}. "
                "Check that the CustomResourceDefinitions are installed and that RBAC allows "
                "list and watch"
            ) from error

    def stuck(self) -> str:
        """Name the informers that are stuck; empty if none is.

        An unreachable server does not count: the informer keeps retrying.
        """
        since = asyncio.get_running_loop().time() - MAX_IDLE
        silent = [str(each.resource) for each in self._informers.values() if each.active_at < since]
        return f"stuck without activity: {', '.join(silent)}" if silent else ""

    def _start(self, group: asyncio.TaskGroup, informer: Informer) -> None:
        group.create_task(informer.run(), name=f"informer {informer.resource}")

    def _observe_write(self, resource: Resource, obj: Object) -> None:
        for processor in self._processors.get(resource, ()):
            processor.written(obj)
