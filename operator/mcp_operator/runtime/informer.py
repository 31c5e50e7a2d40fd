"""Informers: shared caches of the API server's objects that call handlers on every change."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Unpack

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Object, Resource, key_of, labels_of
from mcp_operator.core.tasks import in_steps
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.deltas import DeltaProcessor
from mcp_operator.runtime.errors import StaleCacheError
from mcp_operator.runtime.notification import Event, Handler
from mcp_operator.runtime.reflector import Reflector
from mcp_operator.runtime.scope import NAMESPACES, Scope, View
from mcp_operator.runtime.selection import ListOptions, Selection
from mcp_operator.runtime.sources import Channel
from mcp_operator.runtime.store import IndexFunction, Store

RESYNC_PERIOD: Final = 36_000.0
"""Seconds, give or take a tenth; controller-runtime, pkg/cache, defaultSyncPeriod."""

MAX_IDLE: Final = 600.0
"""Seconds without activity after which an informer counts as stuck. A silent watch ends after about
a minute, and the longest pause between two retries is a minute, too."""


_log = logging.getLogger(__name__)


class SyncTimeoutError(OperatorError):
    """A cache did not sync in time; the text names it and the problem."""


@dataclass(frozen=True, slots=True)
class _Spec:
    """Identifies an informer; equal specs share one."""

    resource: Resource
    selection: Selection
    optional: bool
    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Feed:
    """One list and watch, with the processor of its objects."""

    namespace: str
    processor: DeltaProcessor
    reflector: Reflector

    @property
    def is_late(self) -> bool:
        """Whether the first list is not complete."""
        return not self.processor.synced.is_set()


class Informer:
    """Caches one selection of a resource; client-go's SharedIndexInformer.

    It has one feed for the whole cluster, or one for each of some namespaces.

    Attributes:
        resource: What it caches.
        feeds: The lists and watches that provide its objects.
        processor: The processor of the first feed; all feeds share the store and the handlers.
        store: The objects; complete once `synced` is set.
        synced: Set once the initial list is complete, or an optional resource is not served. If
            there are several namespaces, some can be forbidden: `InformerSet` hides these.
        availability: Sends an event whenever `missing` changes; the event's key is not an object.
    """

    def __init__(
        self,
        client: Client,
        spec: _Spec,
        options: ListOptions,
        view: View,
        on_rollback: Callable[[], None],
    ) -> None:
        self.resource = spec.resource
        self.availability = Channel(f"availability of {spec.resource}")
        self.store = Store()
        handlers: list[Handler] = []
        self.feeds: list[_Feed] = []
        for namespace in spec.namespaces or (spec.selection.namespace,):
            processor = DeltaProcessor(
                spec.resource,
                replace(spec.selection, namespace=namespace),
                metrics=client.metrics,
                view=view,
                store=self.store,
                handlers=handlers,
            )
            reflector = Reflector(
                client,
                spec.resource,
                {**options, "namespace": namespace},
                processor,
                optional=spec.optional,
                metrics=client.metrics,
                availability=self.availability,
                on_rollback=on_rollback,
            )
            self.feeds.append(_Feed(namespace, processor, reflector))
        self.processor = self.feeds[0].processor
        self.synced = self.processor.synced if len(self.feeds) == 1 else asyncio.Event()

    @property
    def problem(self) -> str:
        """The last errors, as sentences; empty while the cache is up to date."""
        problems = [feed.reflector.problem for feed in self.feeds]
        return "; ".join(dict.fromkeys(filter(None, problems)))

    @property
    def served(self) -> bool:
        """Whether the cluster serves the resource; only an optional one may be missing."""
        return any(feed.reflector.served for feed in self.feeds)

    @property
    def missing(self) -> bool:
        """Whether the cluster has answered that it does not know the resource, optional or not."""
        return any(feed.reflector.missing for feed in self.feeds)

    @property
    def active_at(self) -> float:
        """When the quietest feed last received or requested anything, in the loop's time."""
        return min(feed.reflector.active_at for feed in self.feeds)

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
            for feed in self.feeds:
                name = f"reflector {self.resource} {feed.namespace}".rstrip()
                group.create_task(feed.reflector.run(), name=name)
            if len(self.feeds) > 1:
                group.create_task(self._settle(), name=f"initial lists {self.resource}")
            group.create_task(self._resync_periodically(), name=f"resync {self.resource}")

    @property
    def distrusted(self) -> bool:
        """Whether the cache is waiting for a list that replaces it.

        If there are several namespaces, those whose lists are forbidden do not count.
        """
        waiting = [feed.reflector for feed in self.feeds if feed.processor.distrusted]
        return any(len(self.feeds) == 1 or not reflector.refused for reflector in waiting)

    def distrust(self) -> None:
        """Refill the cache, because the API server's data was rolled back."""
        for feed in self.feeds:
            if not feed.is_late:
                feed.processor.distrust()
                feed.reflector.distrust()

    async def resync(self) -> None:
        """Notify the handlers of every object, although none has changed."""
        async for obj in in_steps(self.store.list()):
            if self.store.get(key_of(obj)) is obj:  # otherwise it has changed meanwhile
                self.processor.resync(obj)

    async def _settle(self) -> None:
        for feed in self.feeds:
            await feed.reflector.settled.wait()
        self.synced.set()

    async def _resync_periodically(self) -> None:
        while True:
            jitter = random.uniform(0.9, 1.1)  # noqa: S311  # spreads load, guards no secret
            await asyncio.sleep(RESYNC_PERIOD * jitter)
            await self.resync()


class InformerSet:
    """All informers of a process. Each selection is watched and cached only once.

    While caches are being refilled after a rollback, the client does not write anything.

    Args:
        client: Lists and watches.
        scope: The namespaces that informers cover unless they select another.

    Attributes:
        scope: The same.
    """

    def __init__(self, client: Client, scope: Scope | None = None) -> None:
        self.scope = scope or Scope()
        self._client = client
        self._informers: dict[_Spec, Informer] = {}
        self._feeds: dict[str, list[_Feed]] = {}
        self._processors: dict[tuple[Resource, str], list[DeltaProcessor]] = {}
        self._rolled_back = False
        self._group: asyncio.TaskGroup | None = None
        self._left_out: set[str] | None = None
        labels = self.scope.labels
        self._view = View(self.scope.names if self.scope.names or labels else None)
        client.observe_writes(self._observe_write)
        client.guard_writes(self._guard)
        if labels is not None:
            self.informer(NAMESPACES, metadata_only=True).add_handler(self._follow)

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
        scoped = resource.namespaced and "namespace" not in options
        names = self.scope.names if scoped else ()
        spec = _Spec(resource, Selection(**options), optional, names)
        informer = self._informers.get(spec)
        if informer is None:
            informer = Informer(self._client, spec, options, self._view, self.distrust)
            self._informers[spec] = informer
            for feed in informer.feeds:
                self._feeds.setdefault(feed.namespace, []).append(feed)
                self._processors.setdefault((resource, feed.namespace), []).append(feed.processor)
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

        If several namespaces are chosen by name, those without permissions, for example deleted
        ones, are left out, so that the others do not wait for them. They join as soon as the
        permissions are granted.

        Raises:
            SyncTimeoutError: One took longer than `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                for informer in [*self._informers.values()]:
                    await informer.synced.wait()
                await self._leave_out_refused()
        except TimeoutError as error:
            missing = "; ".join(
                f"{informer.resource} ({informer.problem or 'no response yet'})"
                for informer in self._informers.values()
                if any(feed.is_late for feed in informer.feeds)
            )
            raise SyncTimeoutError(
                f"caches not synced within {timeout:g} s: {missing}. "
                "Check that the CustomResourceDefinitions are installed and that RBAC allows "
                "list and watch"
            ) from error

    def distrust(self) -> None:
        """Refill all caches, because the data was rolled back, for example by restoring etcd."""
        _log.warning("The API server's data was rolled back; all caches are refilled")
        self._rolled_back = True
        for informer in self._informers.values():
            informer.distrust()

    def stuck(self) -> str:
        """Name the informers that are stuck; empty if none is.

        An unreachable server does not count: the informer keeps retrying.
        """
        since = asyncio.get_running_loop().time() - MAX_IDLE
        silent = [str(each.resource) for each in self._informers.values() if each.active_at < since]
        return f"stuck without activity: {', '.join(silent)}" if silent else ""

    async def _leave_out_refused(self) -> None:
        """Hide the namespaces whose lists are forbidden; while all are, wait until one is not."""
        names = self.scope.names
        if len(names) < 2 or self._left_out is not None:  # noqa: PLR2004  # one has synced by now
            return
        waits = [asyncio.create_task(self._synced(name)) for name in names]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        late = {name: feed for name in names for feed in self._feeds.get(name, ()) if feed.is_late}
        self._left_out = {*late}
        for name, feed in late.items():
            _log.warning(
                "Skipping a namespace until its permissions are granted",
                extra={"namespace": name, "error": feed.reflector.problem},
            )
            self.hide(name)
            if self._group is not None:
                self._group.create_task(self._join(name), name=f"join {name}")

    def _processors_of(self, namespace: str) -> list[DeltaProcessor]:
        """Return the processors that can have objects of a namespace."""
        return [feed.processor for name in ("", namespace) for feed in self._feeds.get(name, ())]

    async def _synced(self, namespace: str) -> None:
        for feed in self._feeds.get(namespace, ()):
            await feed.processor.synced.wait()

    async def _join(self, namespace: str) -> None:
        await self._synced(namespace)
        self.show(namespace)

    def _follow(self, event: Event) -> None:
        """Show a namespace while its labels match, and hide it afterwards."""
        name, labels = key_of(event.object).name, self.scope.labels
        if event.new is not None and labels is not None and labels.matches(labels_of(event.new)):
            self.show(name)
        else:
            self.hide(name)

    def show(self, namespace: str) -> None:
        """Add the objects of a namespace to all caches in one step."""
        if namespace in self._view:
            return
        _log.info("Started to watch a namespace", extra={"namespace": namespace})
        self._view.add(namespace)
        found = [(each, each.reveal(namespace)) for each in self._processors_of(namespace)]
        for processor, events in found:
            for event in events:
                processor.dispatch(event)

    def hide(self, namespace: str) -> None:
        """Remove the objects of a namespace from all caches in one step.

        The handlers get `Deleted` events, but these do not prove that the objects were deleted.
        """
        if namespace not in self._view:
            return
        _log.info("Stopped watching a namespace", extra={"namespace": namespace})
        self._view.remove(namespace)
        found = [(each, each.hide(namespace)) for each in self._processors_of(namespace)]
        for processor, events in found:
            for event in events:
                processor.dispatch(event)

    def _start(self, group: asyncio.TaskGroup, informer: Informer) -> None:
        group.create_task(informer.run(), name=f"informer {informer.resource}")

    def _guard(self) -> None:
        if not self._rolled_back:
            return
        for informer in self._informers.values():
            if informer.distrusted:
                raise StaleCacheError(
                    f"not writing before the cache of {informer.resource} is refilled: the API "
                    "server's data was rolled back"
                )
        feeds = (feed for found in self._feeds.values() for feed in found)
        self._rolled_back = any(feed.processor.distrusted for feed in feeds)

    def _observe_write(self, resource: Resource, obj: Object) -> None:
        for namespace in dict.fromkeys(("", key_of(obj).namespace)):
            for processor in self._processors.get((resource, namespace), ()):
                processor.written(obj)
