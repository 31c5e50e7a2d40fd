"""Which objects are a server's own, beside those that it controls.

A restore from a backup brings children back without their owner, and so does a server that is
deleted with `--cascade=orphan` and recreated. The server takes such a child over. It takes nothing
else: a child is known by all of its marks, and the garbage collector deletes what names an owner
that is gone.
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
    """Nothing may be created any more: the owner or its namespace is deleted or being deleted."""


def orphaned_by(obj: Object) -> Key | None:
    """Return the server whose child an object was, if it has been orphaned.

    It has the labels, the annotation and the name that the operator gives to a child of that
    server, it names no owner at all, and it is not being deleted.
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
        """Return whether the object is an orphan of a server of that name.

        Raises:
            OwnerGoneError: It is, but `owner` is gone or being deleted.
            ApiError: The server could not be read.
        """
        if orphaned_by(live) != key_of(owner):
            return False
        await self.check(owner)
        return True

    async def check(self, owner: Object) -> None:
        """Make sure that a server still exists, whatever the caches say.

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
