"""Applying a server's children in their order, and removing what is no longer desired.

Children stand for each other: pods run as the ServiceAccount, a RoleBinding gives what the Role
says, an Ingress leads to the Service. So where one name is taken by an object that is not the
server's own, none of the children is created or changed: pods would otherwise run as somebody
else's ServiceAccount, with whatever it may do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.children import Child
from mcp_operator.builders.resources import (
    AUTOSCALERS,
    CONFIGMAPS,
    DEPLOYMENTS,
    HTTPROUTES,
    INGRESSES,
    ROLEBINDINGS,
    ROLES,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.controllers.cluster_cache import ClusterCache
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import (
    Key,
    Object,
    Resource,
    is_controlled_by,
    is_deleting,
    key_of,
    uid_of,
)
from mcp_operator.runtime.apply import Applier, OwnershipConflictError
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError

REPLICAS_HEIR: Final = "mcp-operator-autoscaling"
"""The field manager that owns a Deployment's replicas from when the operator no longer applies them
until the autoscaler changes them."""

NEEDS: Final = {
    ROLEBINDINGS: ROLES,
    CONFIGMAPS: CONFIGMAPS,
    DEPLOYMENTS: SERVICEACCOUNTS,
    AUTOSCALERS: DEPLOYMENTS,
    INGRESSES: SERVICES,
    HTTPROUTES: SERVICES,
}
"""What a child is not applied without. The index of a catalog must not name shards that could not
be written, and no other child may wait for an object that anybody could make in place of ours."""

LONG_PASS_SECONDS: Final = 5.0
"""After how long a pass that has failed leaves the rest to the next one. An API server that waits
for an admission webhook in vain does so for 10 seconds, or up to 30, with each child."""

Identity = tuple[Resource, Key]


class OwnerGoneError(OperatorError):
    """Nothing is to be made any more: the owner is gone, or goes with its namespace."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an application went.

    Attributes:
        conflicts: One for each object that has the name of a child and is not the server's own.
            Where there is one, no other child was created or changed.
        error: The first refusal of the API server, of a child or of the deletion of a former one;
            the children that do not need that one were applied all the same, if there was time.
    """

    conflicts: tuple[OwnershipConflictError, ...] = ()
    error: ApiError | None = None


@dataclass(frozen=True, slots=True)
class _Settled:
    """A desired state and the cached object that was found to have it."""

    desired: Object
    live: Object


class ChildrenApplier:
    """Brings the children of one server at a time into the desired state."""

    def __init__(self, cache: ClusterCache, applier: Applier, client: Client) -> None:
        self._cache = cache
        self._applier = applier
        self._client = client
        self._settled: dict[Key, dict[Identity, _Settled]] = {}

    def forget(self, owner: Key) -> None:
        """Drop what is known of the children of an owner that is gone."""
        self._settled.pop(owner, None)

    async def apply(self, owner: Object, desired: Sequence[Child]) -> Outcome:
        """Apply what is desired, then delete what the owner has besides.

        Raises:
            OwnerGoneError: The owner is being deleted, of which its own watch has yet to tell.
        """
        settled = self._settled.setdefault(key_of(owner), {})
        try:
            await self._look_after_lost(owner, settled)
            found = await self._look(desired)
            if conflicts := _conflicts(owner, found):
                return Outcome(conflicts)
            await self._release_replicas(owner, desired)
        except ApiError as error:
            return Outcome(error=error)
        try:
            errors = await self._settle_all(owner, desired, found, settled)
        except OwnershipConflictError as conflict:  # it came between the look and the write
            return Outcome((conflict,))
        wanted = {_identity(child) for child in desired}
        for unwanted in settled.keys() - wanted:
            del settled[unwanted]
        if not errors:
            try:
                await self._prune(owner, wanted)
            except ApiError as error:
                errors.append(error)
        return Outcome(error=errors[0] if errors else None)

    async def _look(self, desired: Sequence[Child]) -> dict[Identity, Object]:
        """Return what there is of the names of the desired children, whoever owns it.

        The caches hold only what carries the operator's labels, so the API server is asked for
        what is not in them.
        """
        cached = {identity: self._cached(identity) for identity in map(_identity, desired)}
        missing = [identity for identity, live in cached.items() if live is None]
        answers = await asyncio.gather(*(self._find(*identity) for identity in missing))
        found = cached | dict(zip(missing, answers, strict=True))
        return {identity: live for identity, live in found.items() if live is not None}

    def _cached(self, identity: Identity) -> Object | None:
        resource, key = identity
        return self._cache.owned[resource].store.get(key)

    async def _find(self, resource: Resource, key: Key) -> Object | None:
        try:
            return await self._client.get(resource, key)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def _settle_all(
        self,
        owner: Object,
        desired: Sequence[Child],
        found: Mapping[Identity, Object],
        settled: dict[Identity, _Settled],
    ) -> list[ApiError]:
        """Apply the children in their order; return the refusals.

        Raises:
            OwnershipConflictError: Somebody else was faster; what comes later was not applied.
            OwnerGoneError: The namespace ends.
        """
        errors: list[ApiError] = []
        refused = set()
        loop = asyncio.get_running_loop()
        latest = loop.time() + LONG_PASS_SECONDS
        for child in desired:
            if errors and loop.time() > latest:
                break
            if NEEDS.get(child.resource) in refused:
                refused.add(child.resource)
                continue
            try:
                await self._settle(owner, child, found.get(_identity(child)), settled)
            except ApiError as error:
                errors.append(error)
                refused.add(child.resource)
        return errors

    async def _look_after_lost(self, owner: Object, settled: dict[Identity, _Settled]) -> None:
        """Where a child has vanished, ask the API server whether its owner has, too.

        Each kind has a watch of its own, so the end of a child may be heard of before the end of
        its owner. What is made for one that is gone is collected as garbage, and made again.
        """
        lost = [identity for identity in settled if self._cached(identity) is None]
        for identity in lost:
            del settled[identity]
        if not lost:
            return
        try:
            current = await self._client.get(MCPSERVERS, key_of(owner))
        except ApiError as error:
            if not error.is_not_found:
                raise
        else:
            if uid_of(current) == uid_of(owner) and not is_deleting(current):
                return
        raise OwnerGoneError(f"{MCPSERVERS.kind} {key_of(owner)} is being deleted")

    async def _release_replicas(self, owner: Object, desired: Sequence[Child]) -> None:
        """Leave the number of pods to an autoscaler that is about to be made, as it is."""
        for autoscaler in desired:
            if autoscaler.resource != AUTOSCALERS:
                continue
            key = key_of(autoscaler.object)  # its Deployment has the same name
            deployment = self._cache.owned[DEPLOYMENTS].store.get(key)
            if deployment is not None and self._cache.owned[AUTOSCALERS].store.get(key) is None:
                fields = {"spec": {"replicas": deployment["spec"]["replicas"]}}
                await self._applier.release(
                    owner, DEPLOYMENTS, deployment, fields, heir=REPLICAS_HEIR
                )

    async def _settle(
        self, owner: Object, child: Child, found: Object | None, settled: dict[Identity, _Settled]
    ) -> None:
        """Apply one child, unless exactly this was compared with exactly that before."""
        identity = _identity(child)
        cached = self._cached(identity)
        known = settled.get(identity)
        if known and known.live is cached and _same(known.desired, child.object):
            return
        try:
            outcome = await self._applier.apply(
                owner, child.object, child.resource, cached or found
            )
        except ApiError as error:
            if error.is_namespace_terminating:
                raise OwnerGoneError(str(error)) from error
            raise
        if outcome == "unchanged" and cached is not None:
            settled[identity] = _Settled(child.object, cached)

    async def _prune(self, owner: Object, wanted: Collection[Identity]) -> None:
        for resource, child in list(self._cache.children(owner)):
            if (resource, key_of(child)) not in wanted:
                await self._applier.delete(owner, resource, child)


def _identity(child: Child) -> Identity:
    return child.resource, key_of(child.object)


def _conflicts(
    owner: Object, found: Mapping[Identity, Object]
) -> tuple[OwnershipConflictError, ...]:
    return tuple(
        OwnershipConflictError(resource, live)
        for (resource, _), live in found.items()
        if not is_controlled_by(live, owner)
    )


def _same(one: Object, other: Object) -> bool:
    return one is other or one == other
