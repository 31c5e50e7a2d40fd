"""Which change concerns whom: the wiring from informers to the four controllers.

Every mapper sees the object before and after the change, so that what leaves a server concerns it
as much as what joins it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from mcp_operator.api.conditions import ConditionType, is_true
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.compiled import CatalogKind
from mcp_operator.controllers.cluster_cache import ClusterCache, Referred, servers_of_pod
from mcp_operator.core.meta import Key, Object, key_of
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.informer import Informer
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.predicates import (
    Predicate,
    any_of,
    changed,
    not_own,
    spec_or_meta_changed,
)
from mcp_operator.runtime.sources import for_object, for_owner, mapped

Controllers = Mapping[CatalogKind, Controller]

selection_changed: Predicate = changed("generation", "labels", "deletionTimestamp")
"""Passes what concerns the servers that select an object: its status does not."""


def watch_server(controller: Controller, cache: ClusterCache, is_news: Predicate) -> None:
    """Tell the servers' controller of everything that their pods and catalogs are made from.

    Args:
        controller: Of the servers.
        cache: The caches.
        is_news: Passes the events of children that their own writer has not looked at.
    """
    controller.watch(cache.servers, for_object(), spec_or_meta_changed)
    for kind, objects in cache.catalog_objects.items():
        controller.watch(objects, mapped(_servers_of(cache, kind)), selection_changed)
    for informer in cache.owned.values():
        controller.watch(informer, for_owner(MCPSERVERS.group, MCPSERVERS.kind), not_own, is_news)
    controller.watch(cache.pods, mapped(servers_of_pod))
    for source, referrers in _references(cache):
        controller.watch(source, mapped(_servers_referring_to(cache, referrers)))


def watch_catalog_objects(kind: CatalogKind, controller: Controller, cache: ClusterCache) -> None:
    """Watch the objects of a kind, their rivals, their servers and what they refer to."""
    objects = cache.catalog_objects[kind]
    controller.watch(objects, for_object(), spec_or_meta_changed)
    controller.watch(objects, mapped(lambda obj: cache.rivals(kind, obj)), selection_changed)
    controller.watch(
        cache.servers,
        mapped(_objects_selected_by(cache, kind)),
        any_of(selection_changed, programmed_changed),
    )
    for source, referrers in _references(cache):
        controller.watch(source, mapped(_objects_referring_to(cache, kind, referrers)))


def nudge_for_secret(
    cache: ClusterCache, servers: Controller, objects: Controllers
) -> Callable[[Key], None]:
    """Return a function that reconciles whatever refers to a Secret."""

    def nudge(secret: Key) -> None:
        for kind, obj in cache.referrers("secret", secret):
            for key in _concerned(cache, kind, obj):
                objects[kind].enqueue(key)
            for server in _servers_of(cache, kind)(obj):
                servers.enqueue(server)

    return nudge


def programmed_changed(event: Event) -> bool:
    """Pass a server whose pods have, or have no longer, confirmed its catalog."""
    if event.old is None or event.new is None:
        return True
    programmed = ConditionType.PROGRAMMED
    return is_true(event.old, programmed) != is_true(event.new, programmed)


Referrers = Callable[[Object], Iterator[tuple[CatalogKind, Object]]]


def _references(cache: ClusterCache) -> Iterable[tuple[Informer, Referrers]]:
    """Yield each source of objects that catalog objects refer to, and who refers to one of them."""

    def by(index: Referred) -> Referrers:
        return lambda obj: cache.referrers(index, key_of(obj))

    def granted(grant: Object) -> Iterator[tuple[CatalogKind, Object]]:
        namespace = key_of(grant).namespace
        for service in cache.services.store.list(namespace=namespace):
            yield from cache.referrers("service", key_of(service))

    yield cache.services, by("service")
    yield cache.config_maps, by("configMap")
    yield cache.grants, granted


def _servers_of(cache: ClusterCache, kind: CatalogKind) -> Callable[[Object], Iterable[Key]]:
    def keys(obj: Object) -> Iterable[Key]:
        for server in cache.servers_selecting(kind, obj):
            yield Key(server.model.namespace, server.model.name)

    return keys


def _servers_referring_to(
    cache: ClusterCache, referrers: Referrers
) -> Callable[[Object], Iterable[Key]]:
    def keys(obj: Object) -> Iterable[Key]:
        for kind, referrer in referrers(obj):
            yield from _servers_of(cache, kind)(referrer)

    return keys


def _objects_selected_by(
    cache: ClusterCache, kind: CatalogKind
) -> Callable[[Object], Iterable[Key]]:
    def keys(server: Object) -> Iterable[Key]:
        parsed = cache.parser.server_or_none(server)
        return map(key_of, cache.selected(parsed, kind)) if parsed else ()

    return keys


def _objects_referring_to(
    cache: ClusterCache, kind: CatalogKind, referrers: Referrers
) -> Callable[[Object], Iterable[Key]]:
    def keys(obj: Object) -> Iterable[Key]:
        for found, referrer in referrers(obj):
            if found == kind:
                yield from _concerned(cache, kind, referrer)

    return keys


def _concerned(cache: ClusterCache, kind: CatalogKind, obj: Object) -> Iterator[Key]:
    """Yield an object and its rivals: they win the names that it loses with what it refers to."""
    yield key_of(obj)
    yield from cache.rivals(kind, obj)
