"""Decides which objects a server adopts in addition to those that it controls.

A restore from a backup brings back children without their owner. If a server is deleted with
`--cascade=orphan` and recreated, its children are without their owner as well. The server adopts
such children, which it identifies by all of their marks. It adopts nothing else: if an object names
a deleted owner, the garbage collector deletes it.
"""

from __future__ import annotations

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.labels import (
    HASH_ANNOTATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    SERVER_LABEL,
)
from mcp_operator.builders.names import is_child_name
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import (
    Key,
    Object,
    annotations_of,
    is_deleting,
    key_of,
    labels_of,
    name_of,
    uid_of,
)
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError


class OwnerGoneError(OperatorError):
    """The owner or its namespace is deleted or being deleted, so nothing must be created."""


def orphaned_by(obj: Object) -> Key | None:
    """Return the server that owned an orphaned child; None for other objects.

    An orphaned child has the labels, the annotation and the name that the operator gives to a child
    of that server, has no owner at all, and is not being deleted.
    """
    labels = labels_of(obj)
    server = labels.get(SERVER_LABEL, "")
    marked = (
        labels.get(MANAGED_BY_LABEL) == MANAGED_BY
        and bool(annotations_of(obj).get(HASH_ANNOTATION))
        and is_child_name(name_of(obj), server)
    )
    if not marked or obj["metadata"].get("ownerReferences") or is_deleting(obj):
        return None
    return Key(key_of(obj).namespace, server)


class Adoption:
    """Decides whether a server takes over an object that it does not control.

    Args:
        client: Reads servers.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, owner: Object, live: Object) -> bool:
        """Return whether the object is an orphaned child of a server with the name of `owner`.

        Raises:
            OwnerGoneError: It is, but `owner` is gone or being deleted.
            ApiError: The server could not be read.
        """
        if orphaned_by(live) != key_of(owner):
            return False
        await self.check(owner)
        return True

    async def check(self, owner: Object) -> None:
        """Make sure that a server still exists; the caches can be out of date.

        Raises:
            OwnerGoneError: It is gone or being deleted.
            ApiError: The server could not be read.
        """
        try:
            current = await self._client.get(MCPSERVERS, key_of(owner))
        except ApiError as error:
            if not error.is_not_found:
                raise
        else:
            if uid_of(current) == uid_of(owner) and not is_deleting(current):
                return
        raise OwnerGoneError(f"{MCPSERVERS.kind} {key_of(owner)} is being deleted")
