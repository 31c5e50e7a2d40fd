"""An in-memory cluster whose objects reach real caches at once, for tests of reconcilers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    PODS,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.controllers.cluster_cache import REFERENCE_GRANTS, ClusterCache
from mcp_operator.core.meta import Key, Object, Resource, generation_of, key_of
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.scope import NAMESPACES, Scope
from support.fake_client import FakeClient

KINDS: dict[str, Resource] = {
    resource.kind: resource
    for resource in (
        *(MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES, REFERENCE_GRANTS),
        *(CONFIGMAPS, DEPLOYMENTS, NAMESPACES, PODS, SECRETS, SERVICEACCOUNTS, SERVICES),
    )
}


class CachedCluster(FakeClient):
    """Serves reads and writes like an API server, and updates the caches at each write.

    Attributes:
        cache: The caches of the operator.
        reads: The objects that were read by name, in order.
        on_read: Called before each such read; it can raise instead.
        on_write: Called with the verb and the object before each write; may raise in its place.
    """

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__()
        self._uids = itertools.count(1)
        self.reads: list[tuple[str, Key]] = []
        self.on_read: Callable[[Key], None] = lambda _: None
        self.on_write: Callable[[str, Object], None] = lambda *_: None
        self.cache = ClusterCache(InformerSet(self, scope))

    async def get(self, resource: Resource, key: Key) -> Object:
        self.reads.append((resource.kind, key))
        self.on_read(key)
        return await super().get(resource, key)

    def put(self, kind: str, name: str, **content: Any) -> Object:
        """Create an object in `demo`, or replace the given fields, as a user does."""
        resource = KINDS[kind]
        metadata = {"name": name, "namespace": "demo", **content.pop("metadata", {})}
        head = {"apiVersion": resource.api_version, "kind": kind}
        observers, self.observers = self.observers, [self._tell]
        stored = self._store(resource, {**head, "metadata": metadata, **content})
        self.observers = observers
        return stored

    def remove(self, kind: str, name: str, namespace: str = "demo") -> None:
        """Delete an object."""
        resource = KINDS[kind]
        self._forget(resource, self.objects.pop((resource, Key(namespace, name))))

    async def delete(
        self, resource: Resource, key: Key, *, uid: str = "", resource_version: str = ""
    ) -> None:
        gone = await self.get(resource, key)
        await super().delete(resource, key, uid=uid, resource_version=resource_version)
        self._forget(resource, gone)

    def tool(self, name: str, /, *, team: str = "shop", **spec: Any) -> Object:
        given = {"name": name, "service": {"name": "orders", "port": 80}} | spec
        return self.put("MCPTool", name, metadata={"labels": {"team": team}}, spec=given)

    def server(self, name: str = "shop", /, **spec: Any) -> Object:
        selector = {"matchLabels": {"team": "shop"}}
        return self.put("MCPServer", name, spec={"toolSelector": selector} | spec)

    def service(self, name: str = "orders", **metadata: Any) -> Object:
        spec = {"ports": [{"name": "http", "port": 80}]}
        return self.put("Service", name, metadata=metadata, spec=spec)

    def namespace(self, name: str, **labels: str) -> Object:
        """Label a namespace."""
        return self.put("Namespace", name, metadata={"namespace": "", "labels": labels})

    def status(self, kind: str, name: str) -> Object:
        """Return the status of an object, empty before there is one."""
        found: Object = self.objects[KINDS[kind], Key("demo", name)].get("status") or {}
        return found

    def conditions(self, kind: str, name: str) -> dict[str, tuple[str, str, str]]:
        """Return (status, reason, message) by type."""
        return {
            condition["type"]: (condition["status"], condition["reason"], condition["message"])
            for condition in self.status(kind, name).get("conditions") or ()
        }

    def _record(self, verb: str, obj: Object) -> None:
        self.on_write(verb, obj)
        super()._record(verb, obj)

    def _store(self, resource: Resource, obj: Object) -> Object:
        live = self.objects.get((resource, key_of(obj)), {})
        before = live.get("metadata") or {
            "uid": f"uid-{next(self._uids)}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generation": 0,
        }
        metadata = {**before, **obj["metadata"], "uid": before["uid"]}
        merged = {**live, **obj, "metadata": metadata}
        if merged.get("spec") != live.get("spec") or not live:
            merged["metadata"]["generation"] = generation_of(live) + 1 if live else 1
        return super()._store(resource, merged)

    def _tell(self, resource: Resource, obj: Object) -> None:
        """Update the caches as their watches do, for the writes of other clients."""
        for informer in self._caching(resource):
            selection = informer.processor._selection
            if selection.matches(obj):
                head = ("apiVersion", "kind", "metadata")
                whole = not selection.metadata_only
                informer.processor.upsert({k: v for k, v in obj.items() if whole or k in head})
            elif informer.store.get(key_of(obj)) is not None:
                informer.processor.remove(obj)

    def _forget(self, resource: Resource, gone: Object) -> None:
        metadata = {**gone["metadata"], "resourceVersion": str(next(self._versions))}
        for informer in self._caching(resource):
            if informer.store.get(key_of(gone)) is not None:
                informer.processor.remove({**gone, "metadata": metadata})

    def _caching(self, resource: Resource) -> list[Informer]:
        cache = self.cache
        every = [cache.servers, *cache.catalog_objects.values(), cache.services, cache.config_maps]
        every += [cache.grants, cache.accounts, *cache.owned.values(), cache.pods]
        every += [cache.namespaces] if cache.namespaces else []
        return [informer for informer in every if informer.resource == resource]
