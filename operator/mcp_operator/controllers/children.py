"""Applying a server's children in their order, and removing what is no longer desired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcp_operator.builders.children import Child
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.controllers.world import World
from mcp_operator.core.meta import Object, key_of
from mcp_operator.runtime.apply import Applier, OwnershipConflictError
from mcp_operator.runtime.errors import ApiError


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an application went.

    Attributes:
        conflicts: A sentence for each object that stands in the way and is not ours.
        error: The first refusal of the API server; the other children were applied all the same.
    """

    conflicts: tuple[str, ...] = ()
    error: ApiError | None = None


class ChildrenApplier:
    """Brings the children of one server at a time into the desired state."""

    def __init__(self, world: World, applier: Applier) -> None:
        self._world = world
        self._applier = applier

    async def apply(self, owner: Object, desired: Sequence[Child]) -> Outcome:
        """Apply what is desired, then delete what the owner has besides."""
        conflicts: list[str] = []
        errors: list[ApiError] = []
        broken_catalog = False
        for child in desired:
            if broken_catalog and child.resource == CONFIGMAPS:
                continue  # the index must not name shards that could not be written
            live = self._world.owned[child.resource].store.get(key_of(child.object))
            try:
                await self._applier.apply(owner, child.object, child.resource, live)
            except OwnershipConflictError as conflict:
                conflicts.append(str(conflict))
            except ApiError as error:
                errors.append(error)
            else:
                continue
            broken_catalog = broken_catalog or child.resource == CONFIGMAPS
        if not conflicts and not errors:
            await self._prune(owner, desired)
        return Outcome(tuple(conflicts), errors[0] if errors else None)

    async def _prune(self, owner: Object, desired: Sequence[Child]) -> None:
        wanted = {(child.resource, key_of(child.object)) for child in desired}
        for resource, child in list(self._world.children(owner)):
            if (resource, key_of(child)) not in wanted:
                await self._applier.delete(owner, resource, child)
