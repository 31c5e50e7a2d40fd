"""Writes what was observed about an object, and only when it is news."""

from __future__ import annotations

from mcp_operator.core.compare import semantically_equal
from mcp_operator.core.meta import Object, Resource, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError


class StatusWriter:
    """Owns the whole status of the objects it is given.

    The API server takes no uid as a precondition here: it takes the metadata from what is stored
    (apiextensions-apiserver, pkg/registry/customresource/status_strategy.go). An object that was
    deleted and made anew just now may thus get the status of its forerunner, until its own
    reconciliation, which its creation causes, finds the difference.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def write(self, resource: Resource, live: Object, status: Object) -> bool:
        """Make `status` the status of an object, through its `/status` subresource.

        Args:
            resource: The object's resource.
            live: The object as the cache has it.
            status: The whole status; fields written before and not in it are removed.

        Returns:
            Whether it was written: false if it is the same, or the object is gone.

        Raises:
            ApiError: The API server refused.
        """
        if semantically_equal(live.get("status") or {}, status):
            return False
        key = key_of(live)
        applied = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": key.name, "namespace": key.namespace},
            "status": status,
        }
        try:
            await self._client.apply(resource, applied, subresource="status")
        except ApiError as error:
            if error.is_not_found:
                return False
            raise
        return True
