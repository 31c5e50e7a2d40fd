"""Assembles the control plane: the four controllers and what each of them watches.

`add_controllers` builds the parts. `watch_for_servers` and `watch_for_catalog_objects` define what
makes a controller reconcile, with one line for each source of events.
docs/explanation/control-plane.md shows the same as a diagram.
"""

from __future__ import annotations

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.compiled import CatalogKind
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.labels import HASH_ANNOTATION
from mcp_operator.controllers.catalog_object import CatalogObjectReconciler
from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.controllers.cluster_cache import ClusterCache, former_owners, servers_of_pod
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.condition_metrics import ConditionMetrics
from mcp_operator.controllers.confirmations import Ask, Confirmations
from mcp_operator.controllers.confirmed_objects import ConfirmedObjects
from mcp_operator.controllers.installation_leases import InstallationLeases
from mcp_operator.controllers.long_work import LongWork
from mcp_operator.controllers.mappers import (
    Reference,
    every_server,
    namespace_reached,
    objects_reached,
    objects_referring,
    objects_selected,
    programmed_changed,
    references,
    rivals,
    selection_changed,
    servers_referring,
    servers_running_as,
    servers_selecting,
)
from mcp_operator.controllers.mcpprompt import MCPPromptReconciler
from mcp_operator.controllers.mcpresource import MCPResourceReconciler
from mcp_operator.controllers.mcpserver import MCPServerReconciler
from mcp_operator.controllers.mcptool import MCPToolReconciler
from mcp_operator.controllers.ownership import Adoption
from mcp_operator.controllers.pacing import Paced
from mcp_operator.controllers.recorder import EventRecorder
from mcp_operator.controllers.reference_reader import ReferenceReader
from mcp_operator.controllers.server_keys import ServerKeys
from mcp_operator.controllers.status_reporter import StatusReporter
from mcp_operator.core.clock import Clock
from mcp_operator.core.meta import uid_of
from mcp_operator.runtime.apply import Applier
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.informer import InformerSet
from mcp_operator.runtime.manager import Manager
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.predicates import any_of, spec_or_meta_changed
from mcp_operator.runtime.reconcile import Reconciler
from mcp_operator.runtime.sources import Source, for_object, for_owner, mapped
from mcp_operator.runtime.status import StatusWriter

CATALOG_OBJECT_RECONCILERS: tuple[type[CatalogObjectReconciler], ...] = (
    MCPToolReconciler,
    MCPPromptReconciler,
    MCPResourceReconciler,
)


def add_controllers(
    manager: Manager,
    informers: InformerSet,
    client: Client,
    *,
    context: BuildContext,
    recorder: EventRecorder,
    ask: Ask,
    clock: Clock,
    installation: str = "",
    condition_metrics: bool = True,
    workers: int,
) -> None:
    """Add the four controllers to a manager, which will run them.

    Args:
        manager: Runs what is added.
        informers: Where the informers are declared; the manager runs them.
        client: Writes to the API server, and reads what is not cached.
        context: What the operator's settings say about every server's children.
        recorder: Records Kubernetes Events.
        ask: Asks a pod which catalog it serves.
        clock: Provides the timestamps in statuses.
        installation: The Lease of this installation, as NAMESPACE/NAME; empty if it has none.
        condition_metrics: Whether the conditions of objects are exposed as metrics.
        workers: How many objects of one kind are reconciled at a time.
    """
    cache = ClusterCache(informers)
    reader = ReferenceReader(client, cache, context.external_hosts)
    long_work = LongWork()  # two, because building a catalog compiles during its turn
    compiler = Compiler(cache.parser, reader, LongWork())
    reporter = StatusReporter(StatusWriter(client), recorder, clock)
    installations = InstallationLeases(client, clock, installation, cache.namespace_labels)
    confirmations = Confirmations(ask)
    confirmed_objects = ConfirmedObjects()
    referenced = references(cache, reader.changed_secrets)

    def add(kind: str, reconciler: Reconciler) -> Controller:
        controller = Controller(
            kind.lower(), kind, Paced(reconciler), metrics=client.metrics, max_concurrent=workers
        )
        manager.add(controller)
        return controller

    servers = add(
        MCPSERVERS.kind,
        MCPServerReconciler(
            cache=cache,
            compiler=compiler,
            long_work=long_work,
            children=ChildrenApplier(cache, _applier(client, cache), client),
            confirmations=confirmations,
            reporter=reporter,
            confirmed_objects=confirmed_objects,
            keys=ServerKeys(client),
            installations=installations,
            context=context,
        ),
    )
    watch_for_servers(servers, cache, confirmations.confirmed, referenced)
    account = context.pod_template.spec.service_account_name or ""
    servers.watch(cache.accounts, mapped(servers_running_as(cache, account)))
    for reconciler in CATALOG_OBJECT_RECONCILERS:
        kind = reconciler.kind
        objects = add(
            kind,
            reconciler(
                cache=cache,
                compiler=compiler,
                long_work=long_work,
                reporter=reporter,
                confirmed_objects=confirmed_objects,
                installations=installations,
            ),
        )
        watch_for_catalog_objects(kind, objects, cache, confirmed_objects.changed[kind], referenced)
    _forget_deleted(cache, compiler)  # after the watches, whose mappers still read what was deleted
    manager.add_runnable("confirmations", confirmations.run, leader_only=True)
    if condition_metrics:
        ours = (cache.servers, *cache.catalog_objects.values())
        stores = {informer.resource.kind: informer.store for informer in ours}
        client.metrics.registry.register(ConditionMetrics(stores))


def watch_for_servers(
    controller: Controller,
    cache: ClusterCache,
    confirmed: Source,
    referenced: list[Reference],
) -> None:
    """Watch everything that a server's children and status depend on.

    Args:
        controller: Reconciles servers.
        cache: The informers.
        confirmed: Names a server whenever one of its pods confirms a catalog.
        referenced: What catalog objects and servers refer to.
    """
    controller.watch(cache.servers, for_object(), spec_or_meta_changed)
    for kind, objects in cache.catalog_objects.items():
        controller.watch(objects.availability, mapped(every_server(cache)))
        controller.watch(objects, mapped(servers_selecting(cache, kind)), selection_changed)
    for source, referrers, servers in referenced:
        controller.watch(source, mapped(servers_referring(cache, referrers)))
        controller.watch(source, mapped(servers))
    for children in cache.owned.values():
        controller.watch(children, for_owner(MCPSERVERS.group, MCPSERVERS.kind))
        controller.watch(children, mapped(former_owners))
    controller.watch(cache.pods, mapped(servers_of_pod))
    if cache.namespaces is not None:
        controller.watch(cache.namespaces, namespace_reached(cache))
    controller.watch(confirmed, for_object())


def watch_for_catalog_objects(
    kind: CatalogKind,
    controller: Controller,
    cache: ClusterCache,
    confirmed: Source,
    referenced: list[Reference],
) -> None:
    """Watch everything that the status of a tool, prompt or resource depends on.

    Args:
        kind: One of the three kinds.
        controller: Reconciles its objects.
        cache: The informers.
        confirmed: Names an object whenever the pods of a server confirm another state of it.
        referenced: What catalog objects refer to.
    """
    objects = cache.catalog_objects[kind]
    controller.watch(objects, for_object(), spec_or_meta_changed)
    controller.watch(objects, mapped(rivals(cache, kind)), selection_changed)
    for source, referrers, _ in referenced:
        controller.watch(source, mapped(objects_referring(cache, kind, referrers)))
    controller.watch(
        cache.servers,
        mapped(objects_selected(cache, kind)),
        any_of(selection_changed, programmed_changed),
    )
    if cache.namespaces is not None:
        controller.watch(cache.namespaces, objects_reached(cache, kind))
    controller.watch(confirmed, for_object())


def _applier(client: Client, cache: ClusterCache) -> Applier:
    kinds = [resource.kind for resource in cache.owned]
    return Applier(client, hash_annotation=HASH_ANNOTATION, kinds=kinds, may_adopt=Adoption(client))


def _forget_deleted(cache: ClusterCache, compiler: Compiler) -> None:
    """Drop the cached results of the parser and the compiler when an object is deleted."""

    def forget(event: Event) -> None:
        if event.type == "Deleted":
            uid = uid_of(event.object)
            cache.parser.forget(uid)
            compiler.forget(uid)

    for informer in (cache.servers, *cache.catalog_objects.values()):
        informer.add_handler(forget)
