"""The mappers and predicates of the watches in `setup`: which objects a change affects.

Each function takes the caches and returns an argument for `mapped`: a function from an object to
the keys to reconcile. `mapped` calls it with the object before and after the change, so a server
that an object leaves is reconciled as well as one that it joins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mcp_operator.api.conditions import ConditionType, has_reason, is_true
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compiled import CatalogKind
from mcp_operator.builders.references import ALLOW_ANNOTATION
from mcp_operator.controllers.cluster_cache import ClusterCache, ReferencedKind
from mcp_operator.controllers.confirmed_objects import STILL_SERVED
from mcp_operator.controllers.parsing import ParsedServer
from mcp_operator.core.meta import Key, Object, annotations_of, key_of, labels_of
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.predicates import Predicate, changed
from mcp_operator.runtime.sources import Mapper, Source

KeysOf = Callable[[Object], Iterable[Key]]
"""The argument of `runtime.sources.mapped`."""

Referrers = Callable[[Object], Iterator[tuple[CatalogKind, Object]]]
"""Returns the catalog objects that refer to an object, each with its kind."""


class Reference(NamedTuple):
    """A kind of object that catalog objects and servers refer to.

    Attributes:
        source: The source of its events.
        referrers: Returns the catalog objects that refer to an object of this kind.
        servers: Returns the servers that directly refer to an object of this kind.
    """

    source: Source
    referrers: Referrers
    servers: KeysOf


_selection_changed: Predicate = changed("generation", "labels", "deletionTimestamp")


def selection_changed(event: Event) -> bool:
    """Pass a change of a spec, of labels or of what an object consents to; not of a status."""
    if _selection_changed(event) or event.old is None or event.new is None:
        return True
    before, after = annotations_of(event.old), annotations_of(event.new)
    return before.get(ALLOW_ANNOTATION) != after.get(ALLOW_ANNOTATION)


def programmed_changed(event: Event) -> bool:
    """Pass a server whose condition `Programmed` becomes true or stops being true.

    Also pass changes to or from the reasons in `STILL_SERVED`, SCALED_TO_ZERO and NOT_REPORTED.
    """
    if event.old is None or event.new is None:
        return True
    return _programmed(event.old) != _programmed(event.new)


def _programmed(server: Object) -> tuple[bool, ...]:
    programmed = ConditionType.PROGRAMMED
    told_apart = (STILL_SERVED, {Reason.SCALED_TO_ZERO}, {Reason.NOT_REPORTED})
    return is_true(server, programmed), *(has_reason(server, programmed, r) for r in told_apart)


def every_server(cache: ClusterCache) -> KeysOf:
    """Map anything to all servers."""
    return lambda _: map(key_of, cache.servers.store.list())


def servers_running_as(cache: ClusterCache, default: str) -> KeysOf:
    """Map a ServiceAccount to the servers whose pods run as it.

    Args:
        cache: The informers.
        default: The installation's account for servers that do not name one.
    """

    def keys(account: Object) -> Iterable[Key]:
        namespace, name = key_of(account)
        for server in cache.servers.store.list(namespace=namespace):
            parsed = cache.parser.server_or_none(server)
            template = parsed.model.spec.pod_template if parsed else None
            if template and (template.spec.service_account_name or default) == name:
                yield key_of(server)

    return keys


def servers_selecting(cache: ClusterCache, kind: CatalogKind) -> KeysOf:
    """Map a catalog object to the servers that select it, even if it does not consent to them."""

    def keys(obj: Object) -> Iterable[Key]:
        for server in cache.servers_wanting(kind, obj):
            yield server.key

    return keys


def objects_selected(cache: ClusterCache, kind: CatalogKind) -> KeysOf:
    """Map a server to the objects of a kind that it selects."""

    def keys(server: Object) -> Iterable[Key]:
        parsed = cache.parser.server_or_none(server)
        return map(key_of, cache.selected(parsed, kind)) if parsed else ()

    return keys


def rivals(cache: ClusterCache, kind: CatalogKind) -> KeysOf:
    """Map a catalog object to the others that claim one of its names or URIs."""
    return lambda obj: cache.rivals(kind, obj)


def references(cache: ClusterCache, changed_secrets: Source) -> list[Reference]:
    """List what catalog objects and servers refer to.

    Args:
        cache: The informers.
        changed_secrets: Names a Secret whose keys have changed; Secrets are not watched.
    """

    def by_name(kind: ReferencedKind) -> Referrers:
        return lambda obj: cache.referrers(kind, key_of(obj))

    def servers(kind: ReferencedKind) -> KeysOf:
        return lambda obj: cache.servers_referring(kind, key_of(obj))

    def servers_of_granted_services(grant: Object) -> Iterator[Key]:
        for service in cache.services.store.list(namespace=key_of(grant).namespace):
            yield from cache.servers_referring("Service", key_of(service))

    def of_granted(grant: Object) -> Iterator[tuple[CatalogKind, Object]]:
        namespace = key_of(grant).namespace
        for service in cache.services.store.list(namespace):
            yield from cache.referrers("Service", key_of(service))
        for kind, objects in cache.catalog_objects.items():
            for obj in objects.store.list(namespace):
                if any(s.key.namespace != namespace for s in cache.servers_wanting(kind, obj)):
                    yield kind, obj

    return [
        Reference(cache.services, by_name("Service"), servers("Service")),
        Reference(cache.grants, of_granted, servers_of_granted_services),
        Reference(cache.config_maps, by_name("ConfigMap"), servers("ConfigMap")),
        Reference(changed_secrets, by_name("Secret"), servers("Secret")),
    ]


def namespace_reached(cache: ClusterCache) -> Mapper:
    """Map a Namespace whose labels change to the servers that start or stop selecting from it."""
    return lambda event: (server.key for server in _reaching(cache, event))


def objects_reached(cache: ClusterCache, kind: CatalogKind) -> Mapper:
    """Map a Namespace to the objects of a kind that the servers of `namespace_reached` select."""

    def mapper(event: Event) -> Iterator[Key]:
        servers = list(_reaching(cache, event))
        namespace = key_of(event.object).name
        for obj in cache.catalog_objects[kind].store.list(namespace) if servers else ():
            if any(server.selectors[kind].matches(labels_of(obj)) for server in servers):
                yield key_of(obj)

    return mapper


def _reaching(cache: ClusterCache, event: Event) -> Iterator[ParsedServer]:
    namespace = key_of(event.object).name
    states = [state for state in (event.old, event.new) if state is not None]
    for server in cache.servers_with_selector():
        reached = [server.reach.includes(namespace, labels_of(state)) for state in states]
        if any(reached) and not (len(reached) > 1 and all(reached)):
            yield server


def servers_referring(cache: ClusterCache, referrers: Referrers) -> KeysOf:
    """Map an object to the servers that select a catalog object which refers to it."""

    def keys(obj: Object) -> Iterable[Key]:
        for kind, referrer in referrers(obj):
            yield from servers_selecting(cache, kind)(referrer)

    return keys


def objects_referring(cache: ClusterCache, kind: CatalogKind, referrers: Referrers) -> KeysOf:
    """Map an object to the catalog objects that refer to it, and to their rivals.

    If a reference starts or stops resolving, an object gains or loses names, which its rivals then
    lose or gain.
    """

    def keys(obj: Object) -> Iterable[Key]:
        for found, referrer in referrers(obj):
            if found == kind:
                yield key_of(referrer)
                yield from cache.rivals(kind, referrer)

    return keys
