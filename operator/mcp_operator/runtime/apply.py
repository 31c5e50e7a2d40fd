"""Applies the desired state of owned objects, and leaves all other objects alone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Literal

from mcp_operator.core.compare import covers, fingerprint
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import (
    Object,
    Resource,
    annotations_of,
    controller_of,
    is_controlled_by,
    key_of,
    owner_reference,
    resource_version_of,
    uid_of,
)
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError

MUST_NOT_EXIST: Final = "1"
"""As the resourceVersion of an applied object: create it, or fail with a conflict.

No object has this version, because etcd never assigns its first revision, so an existing object
always conflicts (apiserver, pkg/registry/generic/registry/store.go, Update). A POST would be as
safe, but its fields get an `Update` entry in managedFields beside the `Apply` entry of later
applies, and a field in both can no longer be removed by applying.
"""

Outcome = Literal["unchanged", "created", "updated", "adopted"]

MayAdopt = Callable[[Object, Object], Awaitable[bool]]
"""Returns whether an owner adopts an object that it does not control. It can raise an error."""

_log = logging.getLogger(__name__)


class OwnershipConflictError(OperatorError):
    """An object with that name exists and is not ours; it was left alone.

    Attributes:
        name: The object, as `KIND NAMESPACE/NAME`.
        owner: Its controller, as `KIND NAME`; empty if it has none.
    """

    def __init__(self, resource: Resource, live: Object) -> None:
        owner = controller_of(live)
        self.name = f"{resource.kind} {key_of(live)}"
        self.owner = f"{owner['kind']} {owner['name']}" if owner else ""
        whose = f"belongs to {self.owner}" if owner else "has no owner"
        super().__init__(
            f"{self.name} already exists and {whose}: "
            "delete or rename it, or choose another name here"
        )


async def _never(_owner: Object, _live: Object) -> bool:
    return False


class Applier:
    """Applies an owner's children server-side, only if that changes something.

    Args:
        client: Its field manager owns all applied fields.
        hash_annotation: The annotation for a hash of the desired state. It reveals that a field was
            removed from the desired state, which the live object cannot show.
        kinds: The kinds whose counters of corrected drift start at 0.
        may_adopt: Decides whether an owner adopts an object that it does not control; by default,
            it never does.
    """

    def __init__(
        self,
        client: Client,
        *,
        hash_annotation: str,
        kinds: Iterable[str] = (),
        may_adopt: MayAdopt = _never,
    ) -> None:
        self._client = client
        self._annotation = hash_annotation
        self._may_adopt = may_adopt
        for kind in kinds:
            client.metrics.drift_corrected.labels(kind)

    async def apply(
        self, owner: Object, desired: Object, resource: Resource, live: Object | None
    ) -> Outcome:
        """Bring one object to its desired state.

        Args:
            owner: The object's controller.
            desired: The fields to own; the owner reference and the hash are added to a copy.
            resource: The object's resource.
            live: The object from the cache, or None. If the object exists nevertheless, because
                the cache is restricted to labels, it is not taken over.

        Raises:
            OwnershipConflictError: The object exists, and `owner` neither controls nor adopts it.
            ApiError: The API server rejected the request.
        """
        wanted = self._with_owner_and_hash(owner, desired)
        if live is None:
            try:
                await self._apply(resource, wanted, resourceVersion=MUST_NOT_EXIST)
            except ApiError as error:
                if not (error.is_conflict or error.is_already_exists):
                    raise
                live = await self._client.get(resource, key_of(wanted))
            else:
                _log.info("Created a child", extra=_child(resource, wanted))
                return "created"
        if not is_controlled_by(live, owner):
            return await self._adopt(owner, wanted, resource, live)
        if covers(live, wanted):
            return "unchanged"
        answer = await self._apply(resource, wanted, uid=uid_of(live))
        if resource_version_of(answer) == resource_version_of(live):
            return "unchanged"  # reverted, for example by an admission webhook: not drift
        self._record_update(resource, wanted, live)
        return "updated"

    async def hand_over(
        self, owner: Object, resource: Resource, live: Object, fields: Object, *, manager: str
    ) -> None:
        """Make another field manager an owner of fields that will no longer be applied.

        A field whose last owner stops applying it is removed, and the API server's default takes
        its place: a Deployment would be scaled to one replica (Kubernetes documentation,
        Server-Side Apply, "Transferring ownership between managers"). `fields` have their current
        values. Nothing happens unless `owner` controls or adopts the object.

        Raises:
            ApiError: The API server rejected the request.
        """
        if await self._is_ours(owner, live):
            key = key_of(live)
            metadata = {"name": key.name, "namespace": key.namespace, "uid": uid_of(live)}
            head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
            await self._client.apply(resource, head | fields, field_manager=manager)

    async def delete(self, owner: Object, resource: Resource, live: Object) -> bool:
        """Delete an object if `owner` controls it, or would adopt it, and it has not changed.

        Returns:
            Whether this call deleted it: False if it is not ours or already gone.

        Raises:
            ApiError: The API server rejected the request.
        """
        if not await self._is_ours(owner, live):
            return False
        version = "" if is_controlled_by(live, owner) else live["metadata"]["resourceVersion"]
        try:
            await self._client.delete(
                resource, key_of(live), uid=uid_of(live), resource_version=version
            )
        except ApiError as error:
            if error.is_not_found or error.is_conflict:
                return False
            raise
        _log.info("Deleted a child that is no longer desired", extra=_child(resource, live))
        return True

    async def _is_ours(self, owner: Object, live: Object) -> bool:
        return is_controlled_by(live, owner) or await self._may_adopt(owner, live)

    async def _adopt(
        self, owner: Object, wanted: Object, resource: Resource, live: Object
    ) -> Outcome:
        """Adopt an object in the exact state that `may_adopt` checked, or fail with a conflict."""
        if not await self._may_adopt(owner, live):
            raise OwnershipConflictError(resource, live)
        judged = {"uid": uid_of(live), "resourceVersion": live["metadata"]["resourceVersion"]}
        await self._apply(resource, wanted, **judged)
        _log.info("Adopted a child", extra=_child(resource, live))
        return "adopted"

    def _with_owner_and_hash(self, owner: Object, desired: Object) -> Object:
        metadata = desired["metadata"]
        owned = {**metadata, "ownerReferences": [owner_reference(owner)]}
        digest = fingerprint({**desired, "metadata": owned})
        annotations = {**(metadata.get("annotations") or {}), self._annotation: digest}
        return {**desired, "metadata": {**owned, "annotations": annotations}}

    def _record_update(self, resource: Resource, wanted: Object, live: Object) -> None:
        """Log an update, and count one that is not due to a change of the desired state."""
        if annotations_of(live).get(self._annotation) == annotations_of(wanted)[self._annotation]:
            self._client.metrics.drift_corrected.labels(resource.kind).inc()
            _log.info("Restored a child after an external change", extra=_child(resource, live))
        else:
            _log.info("Updated a child to its new desired state", extra=_child(resource, live))

    async def _apply(self, resource: Resource, wanted: Object, **condition: str) -> Object:
        return await self._client.apply(
            resource, {**wanted, "metadata": {**wanted["metadata"], **condition}}
        )


def _child(resource: Resource, obj: Object) -> dict[str, str]:
    """Return the field that names a child in a log line; bound fields name its owner."""
    return {"child": f"{resource.kind} {key_of(obj)}"}
