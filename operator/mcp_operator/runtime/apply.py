"""Brings owned objects to their desired state, and leaves everybody else's alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable
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

No object has this version, as etcd's first revision is never one, so an existing object always
conflicts (apiserver, pkg/registry/generic/registry/store.go, Update). A plain POST would be as
safe, but its fields belong to an `Update` entry beside the one of later applies, and a field that
both own can no longer be taken back.
"""

Outcome = Literal["unchanged", "created", "updated"]

_log = logging.getLogger(__name__)


class OwnershipConflictError(OperatorError):
    """An object of the name exists and is not ours; it was left alone.

    Attributes:
        name: The object, as `KIND NAMESPACE/NAME`.
        owner: Its controller, as `KIND NAME`; empty where it has none.
    """

    def __init__(self, resource: Resource, live: Object) -> None:
        owner = controller_of(live)
        self.name = f"{resource.kind} {key_of(live)}"
        self.owner = f"{owner['kind']} {owner['name']}" if owner else ""
        whose = f"belongs to {self.owner}" if owner else "has no owner"
        super().__init__(
            f"{self.name} exists already and {whose}: "
            "delete or rename it, or choose another name here"
        )


class Applier:
    """Applies children of an owner by server-side apply, only when something is to change.

    Args:
        client: Its field manager becomes the owner of all fields that are applied.
        hash_annotation: Where the hash of the desired state is kept on the object. It shows that a
            field was removed from the desired state, which the live fields cannot show.
        kinds: Those whose corrections are counted from 0 on, not only from the first.
    """

    def __init__(self, client: Client, *, hash_annotation: str, kinds: Iterable[str] = ()) -> None:
        self._client = client
        self._annotation = hash_annotation
        for kind in kinds:
            client.metrics.drift_corrected.labels(kind)

    async def apply(
        self, owner: Object, desired: Object, resource: Resource, live: Object | None
    ) -> Outcome:
        """Bring one object to its desired state.

        Args:
            owner: Becomes the object's controller.
            desired: The fields to own; the owner reference and the hash are added to a copy.
            resource: The object's resource.
            live: The object as the cache has it. None means that the cache, which may select by
                labels, has none: an object that exists all the same is still never taken over.

        Raises:
            OwnershipConflictError: The object exists and `owner` does not control it.
            ApiError: The API server refused.
        """
        wanted = self._marked(owner, desired)
        if live is None:
            try:
                await self._apply(resource, wanted, resourceVersion=MUST_NOT_EXIST)
            except ApiError as error:
                if not (error.is_conflict or error.is_already_exists):
                    raise
                live = await self._client.get(resource, key_of(wanted))
            else:
                return "created"
        if not is_controlled_by(live, owner):
            raise OwnershipConflictError(resource, live)
        if covers(live, wanted):
            return "unchanged"
        answer = await self._apply(resource, wanted, uid=uid_of(live))
        if resource_version_of(answer) == resource_version_of(live):
            return "unchanged"  # somebody insists, such as an admission webhook: that is no drift
        self._note_drift(resource, wanted, live)
        return "updated"

    async def hand_over(
        self, owner: Object, resource: Resource, live: Object, fields: Object, *, manager: str
    ) -> None:
        """Make another field manager an owner of fields that are not going to be applied any more.

        A field whose last owner stops applying it is removed, and the API server's default takes
        its place: a Deployment would be scaled to one replica (Kubernetes documentation,
        Server-Side Apply, "Transferring ownership between managers").

        Args:
            owner: Nothing happens unless it controls the object.
            resource: The object's resource.
            live: The object as the cache has it.
            fields: The fields with their present values.
            manager: The field manager that owns them until somebody changes them.

        Raises:
            ApiError: The API server refused.
        """
        if is_controlled_by(live, owner):
            key = key_of(live)
            metadata = {"name": key.name, "namespace": key.namespace, "uid": uid_of(live)}
            head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
            await self._client.apply(resource, head | fields, field_manager=manager)

    async def delete(self, owner: Object, resource: Resource, live: Object) -> bool:
        """Delete an object if `owner` controls it.

        Returns:
            Whether this call deleted it: false if it is not ours, or gone already.

        Raises:
            ApiError: The API server refused.
        """
        if not is_controlled_by(live, owner):
            return False
        try:
            await self._client.delete(resource, key_of(live), uid=uid_of(live))
        except ApiError as error:
            if error.is_not_found or error.is_conflict:
                return False
            raise
        return True

    def _marked(self, owner: Object, desired: Object) -> Object:
        metadata = desired["metadata"]
        owned = {**metadata, "ownerReferences": [owner_reference(owner)]}
        mark = fingerprint({**desired, "metadata": owned})
        annotations = {**(metadata.get("annotations") or {}), self._annotation: mark}
        return {**desired, "metadata": {**owned, "annotations": annotations}}

    def _note_drift(self, resource: Resource, wanted: Object, live: Object) -> None:
        """Count a difference that no change of the desired state explains."""
        if annotations_of(live).get(self._annotation) == annotations_of(wanted)[self._annotation]:
            self._client.metrics.drift_corrected.labels(resource.kind).inc()
            _log.info(
                "Put back a child that somebody else had changed",
                extra={"child": f"{resource.kind} {key_of(live)}"},
            )

    async def _apply(self, resource: Resource, wanted: Object, **condition: str) -> Object:
        return await self._client.apply(
            resource, {**wanted, "metadata": {**wanted["metadata"], **condition}}
        )
