"""The control plane put together: caches, reconcilers, controllers and what connects them."""

from __future__ import annotations

from mcp_operator.builders.compiled import CatalogKind
from mcp_operator.builders.context import BuildContext
from mcp_operator.controllers.catalog_object import CatalogObjectReconciler
from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.controllers.cluster_cache import ClusterCache
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.confirmations import Ask, Confirmations
from mcp_operator.controllers.confirmed_objects import ConfirmedObjects
from mcp_operator.controllers.installation_leases import InstallationLeases
from mcp_operator.controllers.mappers import nudge_for_secret, watch_catalog_objects, watch_server
from mcp_operator.controllers.mcpprompt import MCPPromptReconciler
from mcp_operator.controllers.mcpresource import MCPResourceReconciler
from mcp_operator.controllers.mcpserver import MCPServerReconciler
from mcp_operator.controllers.mcptool import MCPToolReconciler
from mcp_operator.controllers.reference_reader import ReferenceReader
from mcp_operator.controllers.status_reporter import StatusReporter
from mcp_operator.core.clock import Clock
from mcp_operator.core.meta import uid_of
from mcp_operator.runtime.apply import Applier
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.informer import InformerSet
from mcp_operator.runtime.manager import Manager
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.reconcile import Reconciler
from mcp_operator.runtime.recorder import EventRecorder
from mcp_operator.runtime.status import StatusWriter

HASH_ANNOTATION = "mcp-operator.dev/applied-hash"
"""On every child: the hash of what was last applied, so that a removed field is noticed."""

RECONCILERS: tuple[type[CatalogObjectReconciler], ...] = (
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
    namespace: str = "",
    installation: str = "",
    workers: int,
) -> ClusterCache:
    """Add the four controllers to a manager, which will run them.

    Args:
        manager: Runs what is added.
        informers: The caches that the manager runs.
        client: Writes.
        context: What the operator's settings say of every server's children.
        recorder: Takes the Events.
        ask: How a gateway pod is asked which catalog it serves.
        clock: Dates statuses.
        namespace: The one namespace to work in; all of them when empty.
        installation: The Lease of this installation, as NAMESPACE/NAME; empty where it has none.
        workers: Objects of one kind that are reconciled at a time.

    Returns:
        The caches, by what they mean.
    """
    cache = ClusterCache(informers, namespace)
    reader = ReferenceReader(client, cache)
    compiler = Compiler(cache.parser, reader)
    reporter = StatusReporter(StatusWriter(client), recorder, clock)
    confirmed_objects = ConfirmedObjects()
    installations = InstallationLeases(client, clock, installation)

    def controller(kind: str, reconciler: Reconciler) -> Controller:
        return Controller(
            kind.lower(),
            kind,
            reconciler,
            metrics=client.metrics,
            max_concurrent=workers,
        )

    applier = Applier(
        client,
        hash_annotation=HASH_ANNOTATION,
        kinds=[resource.kind for resource in cache.owned],
    )
    children = ChildrenApplier(cache, applier, client)
    confirmations = Confirmations(ask)
    reconciler = MCPServerReconciler(
        cache=cache,
        compiler=compiler,
        children=children,
        confirmations=confirmations,
        reporter=reporter,
        confirmed_objects=confirmed_objects,
        installations=installations,
        context=context,
    )
    servers = controller("MCPServer", reconciler)
    objects: dict[CatalogKind, Controller] = {
        obj.kind: controller(
            obj.kind,
            obj(
                cache=cache,
                compiler=compiler,
                reporter=reporter,
                confirmed_objects=confirmed_objects,
                installations=installations,
            ),
        )
        for obj in RECONCILERS
    }
    confirmations.on_confirmed(servers.enqueue)
    confirmed_objects.on_confirmed(lambda obj: objects[obj[0]].enqueue(obj[1]))
    children.on_disturbance(servers.enqueue)
    watch_server(servers, cache, children.is_news)
    for kind, object_controller in objects.items():
        watch_catalog_objects(kind, object_controller, cache)
    _forget_deleted(cache, compiler)  # after the watches, which still read what was deleted
    reader.on_secret_change(nudge_for_secret(cache, servers, objects))
    for each in (servers, *objects.values()):
        manager.add(each)
    manager.add_runnable("confirmations", confirmations.run, leader_only=True)
    return cache


def _forget_deleted(cache: ClusterCache, compiler: Compiler) -> None:
    """Keep in memory what concerns objects that exist, and nothing else."""

    def forget(event: Event) -> None:
        if event.type == "Deleted":
            uid = uid_of(event.object)
            cache.parser.forget(uid)
            compiler.forget(uid)

    for informer in (cache.servers, *cache.catalog_objects.values()):
        informer.add_handler(forget)
