"""All caches of the operator, and the questions that reconcilers and watches ask of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS, MCPServer
from mcp_operator.builders.cluster_facts import ClusterFacts, gather_cluster_facts
from mcp_operator.builders.compiled import CatalogKind, EntryKey
from mcp_operator.builders.labels import SERVER_LABEL, managed_selector, users_selector
from mcp_operator.builders.resources import (
    CHILDREN,
    CONFIGMAPS,
    HTTPROUTES,
    PODS,
    SERVICES,
)
from mcp_operator.controllers.parsing import ParsedServer, Parser
from mcp_operator.core.meta import (
    Key,
    Object,
    Resource,
    controller_of,
    is_deleting,
    key_of,
    labels_of,
    name_of,
    uid_of,
)
from mcp_operator.runtime.informer import Informer, InformerSet

CATALOG_RESOURCES: Mapping[CatalogKind, Resource] = {
    "MCPTool": MCPTOOLS,
    "MCPPrompt": MCPPROMPTS,
    "MCPResource": MCPRESOURCES,
}

REFERENCE_GRANTS = Resource(
    "gateway.networking.k8s.io", "v1beta1", "referencegrants", "ReferenceGrant"
)

BY_OWNER = "owner"
BY_MENTION = "mention"
BY_SERVER = "server"
BY_SELECTOR = "selector"

Referred = Literal["service", "configMap", "secret"]
LabelPair = tuple[str, str]
Mention = tuple[Referred, Key] | tuple[str, EntryKey]


class ClusterCache:
    """The caches, indexed."""

    def __init__(self, informers: InformerSet, namespace: str = "") -> None:
        """Declare every informer.

        Args:
            informers: Where informers are shared.
            namespace: The one namespace to watch; all of them when empty.
        """
        self.parser = Parser()
        declare = functools.partial(informers.informer, namespace=namespace)
        self.servers = declare(MCPSERVERS)
        self.catalog_objects: dict[CatalogKind, Informer] = {
            kind: declare(resource) for kind, resource in CATALOG_RESOURCES.items()
        }
        self.services = declare(SERVICES)
        self.config_maps = declare(CONFIGMAPS, metadata_only=True, label_selector=users_selector())
        self.grants = declare(REFERENCE_GRANTS, optional=True)
        self.owned: dict[Resource, Informer] = {
            resource: declare(
                resource, label_selector=managed_selector(), optional=resource == HTTPROUTES
            )
            for resource in CHILDREN
        }
        self.pods = declare(PODS, label_selector=managed_selector())
        self._add_indexes()

    def selected(self, server: ParsedServer, kind: CatalogKind) -> list[Object]:
        """Return the objects of a kind that a server selects, by name.

        One that is being deleted is gone already, whatever finalizer holds it up.
        """
        store = self.catalog_objects[kind].store
        found = store.list(namespace=server.model.namespace, selector=server.selectors[kind])
        return sorted([obj for obj in found if not is_deleting(obj)], key=name_of)

    def servers_selecting(self, kind: CatalogKind, obj: Object) -> list[ParsedServer]:
        """Return the servers that select an object now, by name."""
        labels = labels_of(obj)
        namespace = key_of(obj).namespace
        servers = [
            server
            for pair in (None, *labels.items())
            for server in self.servers.store.by_index(BY_SELECTOR, (kind, namespace, pair))
            if not is_deleting(server)
        ]
        found = [
            parsed
            for parsed in map(self.parser.server_or_none, servers)
            if parsed is not None and parsed.selectors[kind].matches(labels)
        ]
        return sorted(found, key=lambda parsed: parsed.model.name)

    def referrers(self, what: Referred, key: Key) -> Iterator[tuple[CatalogKind, Object]]:
        """Yield the objects that refer to a Service, ConfigMap or Secret."""
        for kind, informer in self.catalog_objects.items():
            for obj in informer.store.by_index(BY_MENTION, (what, key)):
                yield kind, obj

    def claimants(self, kind: CatalogKind, namespace: str, entry_key: EntryKey) -> list[Object]:
        """Return the objects of a namespace that claim an entry key."""
        wanting = self.catalog_objects[kind].store.by_index(BY_MENTION, (namespace, entry_key))
        return [obj for obj in wanting if not is_deleting(obj)]

    def rivals(self, kind: CatalogKind, obj: Object) -> Iterator[Key]:
        """Yield the keys of other objects that claim an entry key of this one."""
        own = key_of(obj)
        for entry_key in self._entry_keys(obj):
            for rival in self.claimants(kind, own.namespace, entry_key):
                if key_of(rival) != own:
                    yield key_of(rival)

    def children(self, server: Object) -> Iterator[tuple[Resource, Object]]:
        """Yield everything that a server owns."""
        for resource, informer in self.owned.items():
            for child in informer.store.by_index(BY_OWNER, uid_of(server)):
                yield resource, child

    def facts(self, server: MCPServer, catalog: Catalog) -> ClusterFacts:
        """Return what lies around a server, as far as its spec makes that matter."""
        has_gateway_api = self.owned[HTTPROUTES].served
        if server.spec.network_policy.mode != "Full":
            return ClusterFacts(has_gateway_api=has_gateway_api)
        return gather_cluster_facts(
            catalog, self.services.store.get, has_gateway_api=has_gateway_api
        )

    def pods_of(self, server: Key) -> list[Object]:
        """Return the pods of a server."""
        return self.pods.store.by_index(BY_SERVER, server)

    def _entry_keys(self, obj: Object) -> frozenset[EntryKey]:
        parsed = self.parser.object_or_none(obj)
        return parsed.entry_keys if parsed else frozenset()

    def _selections(self, server: Object) -> Iterable[tuple[CatalogKind, str, LabelPair | None]]:
        """Yield one label that objects must have to be selected, None if there is no such label.

        With one label of each, an object finds its servers without asking all of them.
        """
        parsed = self.parser.server_or_none(server)
        for kind, selector in parsed.selectors.items() if parsed else ():
            pair = min(selector.match_labels.items(), default=None)
            yield kind, key_of(server).namespace, pair

    def _add_indexes(self) -> None:
        self.servers.add_index(BY_SELECTOR, self._selections)
        for informer in self.catalog_objects.values():
            informer.add_index(BY_MENTION, self._mentioned)
        for informer in self.owned.values():
            informer.add_index(BY_OWNER, _owner_uid)
        self.pods.add_index(BY_SERVER, servers_of_pod)

    def _mentioned(self, obj: Object) -> Iterable[Mention]:
        """Yield what an object refers to, and the entry keys of its namespace that it claims.

        One index for all of them: each costs time at every change of an object.
        """
        parsed = self.parser.object_or_none(obj)
        if parsed is None:
            return
        for service in parsed.references.services:
            yield "service", service
        for config_map in parsed.references.config_maps:
            yield "configMap", config_map
        for secret in parsed.references.secrets:
            yield "secret", secret
        for entry_key in parsed.entry_keys:
            yield key_of(obj).namespace, entry_key


def servers_of_pod(pod: Object) -> tuple[Key, ...]:
    """Return the server that a pod's label names."""
    name = labels_of(pod).get(SERVER_LABEL)
    return (Key(key_of(pod).namespace, name),) if name else ()


def _owner_uid(child: Object) -> tuple[str, ...]:
    owner = controller_of(child)
    return (owner["uid"],) if owner else ()
