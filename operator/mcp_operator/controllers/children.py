"""Applies a server's children in order, and deletes those that are no longer desired.

Children depend on each other by name: pods run as the ServiceAccount, a RoleBinding grants the
Role, an Ingress routes to the Service. If one of the names is taken by an object that the server
does not own, no child is created or changed. Otherwise, an Ingress could route to the Service of
another owner.

A ServiceAccount without a controller is used unchanged, because a user created it for the pods.
Orphaned children are adopted; see `ownership`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.builders.children import Child
from mcp_operator.builders.deployment import REPLICAS_ANNOTATION
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
from mcp_operator.controllers.ownership import Adoption, OwnerGoneError, orphaned_by
from mcp_operator.core.meta import (
    Key,
    Object,
    Resource,
    annotations_of,
    controller_of,
    is_controlled_by,
    key_of,
)
from mcp_operator.runtime.apply import Applier, OwnershipConflictError
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError

REPLICAS_MANAGER: Final = "mcp-operator-autoscaling"
"""The field manager that owns a Deployment's replicas after the operator stops applying them and
before the autoscaler changes them for the first time."""

NEEDS: Final = {
    ROLEBINDINGS: ROLES,
    CONFIGMAPS: CONFIGMAPS,
    DEPLOYMENTS: SERVICEACCOUNTS,
    AUTOSCALERS: DEPLOYMENTS,
    INGRESSES: SERVICES,
    HTTPROUTES: SERVICES,
}
"""The kind that each kind of child needs: if applying it fails, the child is not applied. The index
of a catalog must not name shards that could not be written, and no child must refer to a name that
somebody else could take."""

LONG_PASS_SECONDS: Final = 5.0
"""After this time, a pass in which a write failed leaves the other children to the next pass. If an
admission webhook does not answer, each write takes 10 seconds by default, and up to 30."""

Identity = tuple[Resource, Key]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of applying all children.

    Attributes:
        conflicts: One for each object that has the name of a child and is not the server's own.
            If there is any, no child was created or changed.
        error: The first failed request. Children that do not need the failed one were applied
            nevertheless, within `LONG_PASS_SECONDS`.
    """

    conflicts: tuple[OwnershipConflictError, ...] = ()
    error: ApiError | None = None


@dataclass(frozen=True, slots=True)
class _Verified:
    """A desired state, and the cached object that was found to be in that state."""

    desired: Object
    live: Object


_VerifiedChildren = dict[Identity, _Verified]


class ChildrenApplier:
    """Brings the children of servers into their desired state.

    Args:
        cache: The informers.
        applier: Applies single objects.
        client: Reads what is not cached.
    """

    def __init__(self, cache: ClusterCache, applier: Applier, client: Client) -> None:
        self._cache = cache
        self._applier = applier
        self._client = client
        self._adoption = Adoption(client)
        self._verified: dict[Key, _VerifiedChildren] = {}

    def forget(self, owner: Key) -> None:
        """Drop the state of the children of a deleted owner."""
        self._verified.pop(owner, None)

    async def apply(
        self,
        owner: Object,
        desired: Sequence[Child],
        withheld: Collection[Resource] = frozenset(),
    ) -> Outcome:
        """Apply the desired children, then delete all others that the owner has or adopts.

        Args:
            owner: The server as cached.
            desired: All its children.
            withheld: The kinds that are neither applied nor deleted.

        Raises:
            OwnerGoneError: The owner is gone or being deleted, which the cache does not show yet.
        """
        desired = [child for child in desired if child.resource not in withheld]
        verified = self._verified.setdefault(key_of(owner), {})
        try:
            await self._check_owner_of_lost(owner, verified)
            existing = await self._find_existing(desired)
            if conflicts := _conflicts(owner, existing):
                return Outcome(conflicts)
            await self._hand_over_replicas(owner, desired)
        except ApiError as error:
            return Outcome(error=error)
        ours = [
            child
            for child in desired
            if not _is_account_of_the_user(child.resource, existing.get(_identity(child)))
        ]
        try:
            errors = await self._apply_all(owner, ours, existing, verified)
        except OwnershipConflictError as conflict:  # it was created in the meantime
            return Outcome((conflict,))
        identities = {_identity(child) for child in desired}
        for former in verified.keys() - identities:
            del verified[former]
        if not errors:
            try:
                await self._prune(owner, identities, withheld)
            except ApiError as error:
                errors.append(error)
        return Outcome(error=errors[0] if errors else None)

    async def _find_existing(self, desired: Sequence[Child]) -> dict[Identity, Object]:
        """Return all objects that have the names of desired children, whoever owns them.

        Objects without the operator's labels are not cached, so a request is made for each child
        that is not in the cache.
        """
        cached = {identity: self._cached(identity) for identity in map(_identity, desired)}
        missing = [identity for identity, live in cached.items() if live is None]
        answers = await asyncio.gather(*(self._get(*identity) for identity in missing))
        existing = cached | dict(zip(missing, answers, strict=True))
        return {identity: live for identity, live in existing.items() if live is not None}

    def _cached(self, identity: Identity) -> Object | None:
        resource, key = identity
        return self._cache.owned[resource].store.get(key)

    async def _get(self, resource: Resource, key: Key) -> Object | None:
        try:
            return await self._client.get(resource, key)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def _apply_all(
        self,
        owner: Object,
        desired: Sequence[Child],
        existing: Mapping[Identity, Object],
        verified: _VerifiedChildren,
    ) -> list[ApiError]:
        """Apply the children in order; return the errors.

        Raises:
            OwnershipConflictError: Somebody else has created an object of that name. The children
                after it were not applied.
            OwnerGoneError: The namespace is being deleted.
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
                await self._apply(owner, child, existing.get(_identity(child)), verified)
            except ApiError as error:
                errors.append(error)
                refused.add(child.resource)
        return errors

    async def _check_owner_of_lost(self, owner: Object, verified: _VerifiedChildren) -> None:
        """If a child has disappeared, make sure that its owner still exists.

        Each kind is watched separately, so the deletion of a child may be seen before that of its
        owner. A child that is created for an owner that is gone would be garbage-collected at once.
        """
        lost = [identity for identity in verified if self._cached(identity) is None]
        for identity in lost:
            del verified[identity]
        if not lost:
            return
        await self._adoption.check(owner)

    async def _hand_over_replicas(self, owner: Object, desired: Sequence[Child]) -> None:
        """Hand over `replicas` before the operator stops applying it, to preserve its value."""
        for child in desired:
            if REPLICAS_ANNOTATION not in annotations_of(child.object):
                continue
            deployment = self._cached(_identity(child))
            if deployment and REPLICAS_ANNOTATION not in annotations_of(deployment):
                fields = {"spec": {"replicas": deployment["spec"]["replicas"]}}
                await self._applier.hand_over(
                    owner, DEPLOYMENTS, deployment, fields, manager=REPLICAS_MANAGER
                )

    async def _apply(
        self,
        owner: Object,
        child: Child,
        existing: Object | None,
        verified: _VerifiedChildren,
    ) -> None:
        """Apply a child, unless its cached object was already found to be in this state."""
        identity = _identity(child)
        cached = self._cached(identity)
        known = verified.get(identity)
        if known and known.live is cached and _same(known.desired, child.object):
            return
        try:
            outcome = await self._applier.apply(
                owner, child.object, child.resource, cached or existing
            )
        except ApiError as error:
            if error.is_namespace_terminating:
                raise OwnerGoneError(str(error)) from error
            raise
        if outcome == "unchanged" and cached is not None:
            verified[identity] = _Verified(child.object, cached)

    async def _prune(
        self, owner: Object, identities: Collection[Identity], withheld: Collection[Resource]
    ) -> None:
        for resource, child in [*self._cache.children(owner), *self._cache.orphans(key_of(owner))]:
            if resource not in withheld and (resource, key_of(child)) not in identities:
                await self._applier.delete(owner, resource, child)


def _identity(child: Child) -> Identity:
    return child.resource, key_of(child.object)


def _conflicts(
    owner: Object, existing: Mapping[Identity, Object]
) -> tuple[OwnershipConflictError, ...]:
    return tuple(
        OwnershipConflictError(resource, live)
        for (resource, _), live in existing.items()
        if not (
            is_controlled_by(live, owner)
            or orphaned_by(live) == key_of(owner)
            or _is_account_of_the_user(resource, live)
        )
    )


def _is_account_of_the_user(resource: Resource, live: Object | None) -> bool:
    """Return whether an object is a ServiceAccount without a controller, and not an orphaned child.

    Users create it in advance to give the pods pull secrets and an identity at a cloud provider.
    It is used unchanged, and stays when the server is deleted.
    """
    if resource != SERVICEACCOUNTS or live is None:
        return False
    return controller_of(live) is None and orphaned_by(live) is None


def _same(one: Object, other: Object) -> bool:
    return one is other or one == other
