"""The control plane put together: caches, reconcilers, controllers and what connects them."""

from __future__ import annotations

from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.members import MemberKind
from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.controllers.claims import Claims
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.confirmations import Ask, Confirmations
from mcp_operator.controllers.ledger import Ledger
from mcp_operator.controllers.mcpprompt import MCPPromptReconciler
from mcp_operator.controllers.mcpresource import MCPResourceReconciler
from mcp_operator.controllers.mcpserver import MCPServerReconciler
from mcp_operator.controllers.mcptool import MCPToolReconciler
from mcp_operator.controllers.members import MemberReconciler
from mcp_operator.controllers.reading import Reader
from mcp_operator.controllers.statuses import Statuses
from mcp_operator.controllers.watches import nudge_for_secret, watch_members, watch_server
from mcp_operator.controllers.world import World
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

STATUS_DELAY = 0.03
"""Seconds that the status of a changed member waits, unless its server's catalog is written sooner.
The catalog goes first: people wait for it, and the API server would else work on both at once."""

RECONCILERS: tuple[type[MemberReconciler], ...] = (
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
) -> World:
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
    world = World(informers, namespace)
    reader = Reader(client, world)
    compiler = Compiler(world.parser, reader)
    statuses = Statuses(StatusWriter(client), recorder, clock)
    ledger = Ledger()
    claims = Claims(client, clock, installation)

    def controller(kind: str, reconciler: Reconciler, delay: float = 0.0) -> Controller:
        return Controller(
            kind.lower(),
            kind,
            reconciler,
            metrics=client.metrics,
            max_concurrent=workers,
            delay=delay,
        )

    applier = Applier(
        client,
        hash_annotation=HASH_ANNOTATION,
        kinds=[resource.kind for resource in world.owned],
    )
    children = ChildrenApplier(world, applier, client)
    confirmations = Confirmations(ask)
    reconciler = MCPServerReconciler(
        world=world,
        compiler=compiler,
        children=children,
        confirmations=confirmations,
        statuses=statuses,
        ledger=ledger,
        claims=claims,
        context=context,
    )
    servers = controller("MCPServer", reconciler)
    members: dict[MemberKind, Controller] = {
        member.kind: controller(
            member.kind,
            member(world=world, compiler=compiler, statuses=statuses, ledger=ledger, claims=claims),
            delay=STATUS_DELAY,
        )
        for member in RECONCILERS
    }
    confirmations.on_confirmed(servers.enqueue)
    ledger.on_confirmed(lambda member: members[member[0]].enqueue(member[1]))
    children.on_disturbance(servers.enqueue)
    reconciler.on_published(lambda kind, member: members[kind].queue.hurry(member))
    watch_server(servers, world, children.is_news)
    for kind, member_controller in members.items():
        watch_members(kind, member_controller, world)
    _forget_deleted(world, compiler)  # after the watches, which still read what was deleted
    reader.on_secret_change(nudge_for_secret(world, servers, members))
    for each in (servers, *members.values()):
        manager.add(each)
    manager.add_runnable("confirmations", confirmations.run, leader_only=True)
    return world


def _forget_deleted(world: World, compiler: Compiler) -> None:
    """Keep in memory what concerns objects that exist, and nothing else."""

    def forget(event: Event) -> None:
        if event.type == "Deleted":
            uid = uid_of(event.object)
            world.parser.forget(uid)
            compiler.forget(uid)

    for informer in (world.servers, *world.members.values()):
        informer.add_handler(forget)
