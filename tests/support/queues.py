"""The queues of the controllers, from which only the test takes keys."""

from __future__ import annotations

from mcp_operator.builders.compiled import CatalogKind
from mcp_operator.controllers.mappers import references
from mcp_operator.controllers.setup import watch_for_catalog_objects, watch_for_servers
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.reconcile import Request
from mcp_operator.runtime.sources import Channel
from support.cached_cluster import CachedCluster


class Idle:
    """Reconciles nothing: these tests inspect the queues."""

    async def reconcile(self, request: Request) -> None:
        raise AssertionError


class Queues:
    """A cluster and the queues of the controllers that watch it."""

    def __init__(self) -> None:
        self.cluster = CachedCluster()
        self.cache = self.cluster.cache
        self.servers = self._controller("MCPServer")
        self.objects: dict[CatalogKind, Controller] = {
            kind: self._controller(kind) for kind in self.cache.catalog_objects
        }
        self.changed_secrets = Channel("Secrets")
        self.confirmed_servers = Channel("confirmed servers")
        self.confirmed_objects = {kind: Channel(f"confirmed {kind}s") for kind in self.objects}
        referenced = references(self.cache, self.changed_secrets)
        watch_for_servers(self.servers, self.cache, self.confirmed_servers, referenced)
        for kind, controller in self.objects.items():
            confirmed = self.confirmed_objects[kind]
            watch_for_catalog_objects(kind, controller, self.cache, confirmed, referenced)

    def _controller(self, kind: str) -> Controller:
        return Controller(kind.lower(), kind, Idle(), metrics=self.cluster.metrics)

    async def taken(self) -> set[tuple[str, str]]:
        """Take all queued keys, and return them as (kind, name)."""
        found = set()
        for controller in (self.servers, *self.objects.values()):
            while len(controller.queue):
                taken = await controller.queue.get()
                assert taken is not None
                controller.queue.done(taken[0])
                found.add((controller.kind, taken[0].name))
        return found
