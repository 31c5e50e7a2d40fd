"""The operator's caches of the cluster, and the queries on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Literal

from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS, MCPServer
from mcp_operator.builders.cluster_facts import Called, ClusterFacts, gather_cluster_facts
from mcp_operator.builders.compiled import CatalogKind, EntryKey
from mcp_operator.builders.joining import Reach, permits
from mcp_operator.builders.labels import SERVER_LABEL, managed_selector, users_selector
from mcp_operator.builders.networkpolicy import NAMESPACE_LABEL
from mcp_operator.builders.references import (
    Granted,
    References,
    granted,
)
from mcp_operator.builders.resources import (
    CHILDREN,
    CONFIGMAPS,
    HTTPROUTES,
    PODS,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.builders.serviceaccount import usable_selector
from mcp_operator.controllers.ownership import orphaned_by
from mcp_operator.controllers.parsing import ParsedServer, Parser
from mcp_operator.core.meta import (
    Key,
    Object,
    Resource,
    controller_of,
    is_deleting,
    key_of,
    labels_of,
    uid_of,
)
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.scope import NAMESPACES

CATALOG_RESOURCES: Mapping[CatalogKind, Resource] = {
    "MCPTool": MCPTOOLS,
    "MCPPrompt": MCPPROMPTS,
    "MCPResource": MCPRESOURCES,
}

REFERENCE_GRANTS = Resource(
    "gateway.networking.k8s.io", "v1beta1", "referencegrants", "ReferenceGrant"
)

BY_SELECTOR = "selector"
"""Servers by one label that each of their selectors requires."""
BY_REFERENCE = "reference"
"""Catalog objects and servers by the Services, ConfigMaps and Secrets that they refer to."""
BY_ENTRY_KEY = "entryKey"
"""Catalog objects by the names and URIs that they claim in their namespace."""
BY_OWNER = "owner"
"""Children by the uid of the server that owns them."""
BY_FORMER_OWNER = "formerOwner"
"""Orphaned children, by the server that owned them."""
BY_REACH = "reach"
"""Servers by `spec.allowedNamespaces.from`."""
ANY_NAMESPACE = "*"
"""In place of a namespace in an index: for servers that select from others, and all claimants."""
BY_SERVER = "server"
"""Pods by the server that their label names."""

ReferencedKind = Literal["Service", "ConfigMap", "Secret"]
LabelPair = tuple[str, str]


class ClusterCache:
    """The informers of every kind that the operator watches, with their indexes.

    Attributes:
        parser: Turns the cached MCPServers and catalog objects into models.
        scope: The namespaces that the operator works in.
        servers: MCPServers.
        catalog_objects: MCPTools, MCPPrompts and MCPResources by kind.
        services: All Services.
        config_maps: The metadata of all ConfigMaps except the operator's own.
        grants: ReferenceGrants, if the Gateway API is installed.
        accounts: The metadata of the ServiceAccounts that permit servers' pods to use them.
        owned: The children of servers by resource.
        pods: The pods of servers.
        namespaces: The metadata of all Namespaces; None if the operator works in namespaces that
            are chosen by name, because it needs no others.
    """

    def __init__(self, informers: InformerSet) -> None:
        """Declare every informer, for the namespaces that `informers` covers."""
        self.parser = Parser()
        self.scope = informers.scope
        declare = informers.informer
        self.servers = declare(MCPSERVERS)
        self.catalog_objects: dict[CatalogKind, Informer] = {
            kind: declare(resource) for kind, resource in CATALOG_RESOURCES.items()
        }
        self.services = declare(SERVICES)
        self.config_maps = declare(CONFIGMAPS, metadata_only=True, label_selector=users_selector())
        self.grants = declare(REFERENCE_GRANTS, optional=True)
        self.accounts = declare(
            SERVICEACCOUNTS, metadata_only=True, label_selector=usable_selector()
        )
        self.owned: dict[Resource, Informer] = {
            resource: declare(
                resource, label_selector=managed_selector(), optional=resource == HTTPROUTES
            )
            for resource in CHILDREN
        }
        self.namespaces = None if informers.scope.names else declare(NAMESPACES, metadata_only=True)
        self.pods = declare(PODS, label_selector=managed_selector())
        self._add_indexes()

    def selected(self, server: ParsedServer, kind: CatalogKind) -> Iterator[Object]:
        """Yield the objects of a kind that a server selects, and that consent to it.

        An object that is being deleted is left out, even while a finalizer holds it.
        """
        return filter(self.permitting(server.key.namespace), self.wanted(server, kind))

    def wanted(self, server: ParsedServer, kind: CatalogKind) -> Iterator[Object]:
        """Yield the objects that a server would select if all namespaces consented."""
        reach = server.reach
        namespace = reach.own if reach.mode == "Same" else None
        found = self.catalog_objects[kind].store.select(namespace, server.selectors[kind])
        return (
            obj for obj in found if not is_deleting(obj) and self._is_in_reach(reach, key_of(obj))
        )

    def permits(self, obj: Object, namespace: str) -> bool:
        """Return whether an object consents to being served by servers of a namespace."""
        return self.permitting(namespace)(obj)

    def permitting(self, namespace: str) -> Callable[[Object], bool]:
        """Return `permits` for many objects: it reads the grants of each namespace only once."""

        @cache
        def granted_in(own: str) -> Granted:
            return granted(self.grants.store.list(own), MCPSERVERS.kind, namespace)

        return lambda obj: permits(obj, granted_in, namespace)

    def unseen(self, server: ParsedServer) -> str:
        """Say that a server selects from namespaces that the operator cannot see; empty if not."""
        if server.reach.mode == "Same" or not (self.scope.names or self.scope.selector):
            return ""
        labels = self.scope.names and server.reach.mode == "Selector"
        return (
            f"spec.allowedNamespaces: the operator works in {self.scope} only, and sees no objects "
            f"of others{f' and no label of a namespace but {NAMESPACE_LABEL}' if labels else ''}"
        )

    def _is_in_reach(self, reach: Reach, key: Key) -> bool:
        namespace = key.namespace
        return namespace == reach.own or reach.includes(namespace, self.namespace_labels(namespace))

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return the labels of a namespace; None if they are not known."""
        found = self.namespaces.store.get(Key("", namespace)) if self.namespaces else None
        return labels_of(found) if found is not None else None

    def has(self, obj: Object) -> bool:
        """Return whether a server or catalog object still exists, in any state.

        It counts as deleted when the operator stops watching its namespace.
        """
        kind = obj["kind"]
        informer = self.servers if kind == MCPSERVERS.kind else self.catalog_objects[kind]
        current = informer.store.get(key_of(obj))
        return current is not None and uid_of(current) == uid_of(obj)

    def servers_selecting(self, kind: CatalogKind, obj: Object) -> list[ParsedServer]:
        """Return the servers that select an object and to which it consents, sorted by name."""
        wanting = self.servers_wanting(kind, obj)
        return [server for server in wanting if self.permits(obj, server.key.namespace)]

    def servers_wanting(self, kind: CatalogKind, obj: Object) -> list[ParsedServer]:
        """Return the servers that would select an object if its namespace consented, sorted."""
        labels = labels_of(obj)
        key = key_of(obj)
        servers = {
            key_of(server): server
            for namespace in (key.namespace, ANY_NAMESPACE)
            for pair in (None, *labels.items())
            for server in self.servers.store.by_index(BY_SELECTOR, (kind, namespace, pair))
            if not is_deleting(server)
        }
        found = [
            parsed
            for parsed in map(self.parser.server_or_none, servers.values())
            if parsed is not None
            and parsed.selectors[kind].matches(labels)
            and self._is_in_reach(parsed.reach, key)
        ]
        return sorted(found, key=lambda parsed: (parsed.key.name, parsed.key.namespace))

    def selects(self, server: ParsedServer, kind: CatalogKind, obj: Object) -> bool:
        """Return whether a server selects an object, and the object consents to it."""
        return (
            server.selectors[kind].matches(labels_of(obj))
            and self._is_in_reach(server.reach, key_of(obj))
            and self.permits(obj, server.key.namespace)
        )

    def servers_with_selector(self) -> Iterator[ParsedServer]:
        """Yield the servers that select namespaces by label."""
        for server in self.servers.store.by_index(BY_REACH, "Selector"):
            if parsed := self.parser.server_or_none(server):
                yield parsed

    def referrers(self, kind: ReferencedKind, key: Key) -> Iterator[tuple[CatalogKind, Object]]:
        """Yield the catalog objects that refer to a Service, ConfigMap or Secret."""
        for referrer_kind, informer in self.catalog_objects.items():
            for obj in informer.store.by_index(BY_REFERENCE, (kind, key)):
                yield referrer_kind, obj

    def servers_referring(self, kind: ReferencedKind, key: Key) -> Iterator[Key]:
        """Yield the servers that directly refer to a Service, ConfigMap or Secret."""
        for server in self.servers.store.by_index(BY_REFERENCE, (kind, key)):
            yield key_of(server)

    def claimants(self, kind: CatalogKind, namespace: str, entry_key: EntryKey) -> list[Object]:
        """Return the objects of a namespace, or of `ANY_NAMESPACE`, that claim a name or URI."""
        found = self.catalog_objects[kind].store.by_index(BY_ENTRY_KEY, (namespace, entry_key))
        return [obj for obj in found if not is_deleting(obj)]

    def rivals(self, kind: CatalogKind, obj: Object) -> Iterator[Key]:
        """Yield the keys of the other objects that claim a name or URI which this one claims."""
        own = key_of(obj)
        abroad = [each for each in self.servers_selecting(kind, obj) if each.reach.mode != "Same"]
        for namespace, entry_key in self._entry_keys(obj):
            if namespace == ANY_NAMESPACE and not abroad:
                continue
            for rival in self.claimants(kind, namespace, entry_key):
                near = key_of(rival).namespace == own.namespace
                if key_of(rival) != own and (
                    near or any(self.selects(server, kind, rival) for server in abroad)
                ):
                    yield key_of(rival)

    def children(self, server: Object) -> Iterator[tuple[Resource, Object]]:
        """Yield everything that a server owns."""
        for resource, informer in self.owned.items():
            for child in informer.store.by_index(BY_OWNER, uid_of(server)):
                yield resource, child

    def orphans(self, server: Key) -> Iterator[tuple[Resource, Object]]:
        """Yield the orphaned children of a former server of this name."""
        for resource, informer in self.owned.items():
            for child in informer.store.by_index(BY_FORMER_OWNER, server):
                yield resource, child

    def missing_kinds(self) -> list[CatalogKind]:
        """Return the kinds of catalog objects that the API server no longer knows."""
        return [kind for kind, informer in self.catalog_objects.items() if informer.missing]

    def facts(self, server: MCPServer, called: Called) -> ClusterFacts:
        """Return what a server's children depend on besides its spec and its catalog."""
        has_gateway_api = self.owned[HTTPROUTES].served
        if server.spec.network_policy.mode != "Full":
            return ClusterFacts(has_gateway_api=has_gateway_api)
        return gather_cluster_facts(
            called, self.services.store.get, has_gateway_api=has_gateway_api
        )

    def pods_of(self, server: Key) -> list[Object]:
        """Return the pods of a server."""
        return self.pods.store.by_index(BY_SERVER, server)

    def _add_indexes(self) -> None:
        self.servers.add_index(BY_SELECTOR, self._required_labels)
        self.servers.add_index(BY_REFERENCE, self._server_references)
        self.servers.add_index(BY_REACH, self._reach)
        for informer in self.catalog_objects.values():
            informer.add_index(BY_REFERENCE, self._references)
            informer.add_index(BY_ENTRY_KEY, self._entry_keys)
        for informer in self.owned.values():
            informer.add_index(BY_OWNER, _owner_uid)
            informer.add_index(BY_FORMER_OWNER, former_owners)
        self.pods.add_index(BY_SERVER, servers_of_pod)

    def _required_labels(
        self, server: Object
    ) -> Iterable[tuple[CatalogKind, str, LabelPair | None]]:
        """Yield a label that objects must have to be selected, None if no single one is required.

        One label for each selector is enough to find the servers of an object among many.
        """
        parsed = self.parser.server_or_none(server)
        for kind, selector in parsed.selectors.items() if parsed else ():
            pair = min(selector.match_labels.items(), default=None)
            yield kind, key_of(server).namespace, pair
            if parsed is not None and parsed.reach.mode != "Same":
                yield kind, ANY_NAMESPACE, pair

    def _reach(self, server: Object) -> Iterable[str]:
        parsed = self.parser.server_or_none(server)
        return (parsed.reach.mode,) if parsed else ()

    def _references(self, obj: Object) -> Iterable[tuple[ReferencedKind, Key]]:
        parsed = self.parser.object_or_none(obj)
        return _indexed(parsed.references) if parsed else ()

    def _server_references(self, server: Object) -> Iterable[tuple[ReferencedKind, Key]]:
        parsed = self.parser.server_or_none(server)
        return _indexed(parsed.references) if parsed else ()

    def _entry_keys(self, obj: Object) -> Iterable[tuple[str, EntryKey]]:
        parsed = self.parser.object_or_none(obj)
        for entry_key in parsed.entry_keys if parsed else ():
            yield key_of(obj).namespace, entry_key
            yield ANY_NAMESPACE, entry_key


def servers_of_pod(pod: Object) -> tuple[Key, ...]:
    """Return the server that a pod's label names, if it has one."""
    name = labels_of(pod).get(SERVER_LABEL)
    return (Key(key_of(pod).namespace, name),) if name else ()


def former_owners(child: Object) -> tuple[Key, ...]:
    """Return the server that may adopt a child, if it has been orphaned."""
    server = orphaned_by(child)
    return (server,) if server else ()


def _owner_uid(child: Object) -> tuple[str, ...]:
    owner = controller_of(child)
    return (owner["uid"],) if owner else ()


def _indexed(references: References) -> Iterator[tuple[ReferencedKind, Key]]:
    for service in references.services:
        yield "Service", service
    for config_map in references.config_maps:
        yield "ConfigMap", config_map
    for secret in references.secrets:
        yield "Secret", secret
