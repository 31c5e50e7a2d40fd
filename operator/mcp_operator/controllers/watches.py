"""Which change concerns whom: the wiring from informers to the four controllers.

Every mapper sees the object before and after the change, so that what leaves a server concerns it
as much as what joins it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from mcp_operator.api.conditions import ConditionType, is_true
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.members import MemberKind
from mcp_operator.controllers.world import Referred, World, servers_of_pod
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

Controllers = Mapping[MemberKind, Controller]

selection_changed: Predicate = changed("generation", "labels", "deletionTimestamp")
"""What a server needs to know of its members; their statuses are none of its business."""


def watch_server(controller: Controller, world: World, is_news: Predicate) -> None:
    """Tell the servers' controller of everything that their pods and catalogs are made from.

    Args:
        controller: Of the servers.
        world: The caches.
        is_news: Passes the events of children that their own writer has not looked at.
    """
    controller.watch(world.servers, for_object(), spec_or_meta_changed)
    for kind, members in world.members.items():
        controller.watch(members, mapped(_servers_of(world, kind)), selection_changed)
    for informer in world.owned.values():
        controller.watch(informer, for_owner(MCPSERVERS.group, MCPSERVERS.kind), not_own, is_news)
    controller.watch(world.pods, mapped(servers_of_pod))
    for source, referring in _references(world):
        controller.watch(source, mapped(_servers_of_referring(world, referring)))


def watch_members(kind: MemberKind, controller: Controller, world: World) -> None:
    """Tell a member's controller of its objects, their rivals, their servers and references."""
    members = world.members[kind]
    controller.watch(members, for_object(), spec_or_meta_changed)
    controller.watch(members, mapped(lambda obj: world.rivals(kind, obj)), selection_changed)
    controller.watch(
        world.servers,
        mapped(_members_of(world, kind)),
        any_of(selection_changed, programmed_changed),
    )
    for source, referring in _references(world):
        controller.watch(source, mapped(_members_of_referring(world, kind, referring)))


def nudge_for_secret(
    world: World, servers: Controller, members: Controllers
) -> Callable[[Key], None]:
    """Return a function that reconciles whatever refers to a Secret."""

    def nudge(secret: Key) -> None:
        for kind, member in world.referring("secret", secret):
            for key in _concerned(world, kind, member):
                members[kind].enqueue(key)
            for server in _servers_of(world, kind)(member):
                servers.enqueue(server)

    return nudge


def programmed_changed(event: Event) -> bool:
    """Pass a server whose pods have, or have no longer, confirmed its catalog."""
    if event.old is None or event.new is None:
        return True
    programmed = ConditionType.PROGRAMMED
    return is_true(event.old, programmed) != is_true(event.new, programmed)


Referring = Callable[[Object], Iterator[tuple[MemberKind, Object]]]


def _references(world: World) -> Iterable[tuple[Informer, Referring]]:
    """Yield each source of objects that members refer to, and who refers to one of them."""

    def by(index: Referred) -> Referring:
        return lambda obj: world.referring(index, key_of(obj))

    def granted(grant: Object) -> Iterator[tuple[MemberKind, Object]]:
        namespace = key_of(grant).namespace
        for service in world.services.store.list(namespace=namespace):
            yield from world.referring("service", key_of(service))

    yield world.services, by("service")
    yield world.config_maps, by("configMap")
    yield world.grants, granted


def _servers_of(world: World, kind: MemberKind) -> Callable[[Object], Iterable[Key]]:
    def keys(member: Object) -> Iterable[Key]:
        for server in world.servers_selecting(kind, member):
            yield Key(server.model.namespace, server.model.name)

    return keys


def _servers_of_referring(world: World, referring: Referring) -> Callable[[Object], Iterable[Key]]:
    def keys(obj: Object) -> Iterable[Key]:
        for kind, member in referring(obj):
            yield from _servers_of(world, kind)(member)

    return keys


def _members_of(world: World, kind: MemberKind) -> Callable[[Object], Iterable[Key]]:
    def keys(server: Object) -> Iterable[Key]:
        parsed = world.parser.readable_server(server)
        return map(key_of, world.selected(parsed, kind)) if parsed else ()

    return keys


def _members_of_referring(
    world: World, kind: MemberKind, referring: Referring
) -> Callable[[Object], Iterable[Key]]:
    def keys(obj: Object) -> Iterable[Key]:
        for found, member in referring(obj):
            if found == kind:
                yield from _concerned(world, kind, member)

    return keys


def _concerned(world: World, kind: MemberKind, member: Object) -> Iterator[Key]:
    """Yield a member and its rivals: they win the names that it loses with what it refers to."""
    yield key_of(member)
    yield from world.rivals(kind, member)
