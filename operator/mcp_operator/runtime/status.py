"""Writes the status of objects, only when it has changed."""

from __future__ import annotations

from mcp_operator.core.compare import semantically_equal
from mcp_operator.core.meta import Object, Resource, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError


class StatusWriter:
    """Owns the whole status of the objects it is given.

    The API server ignores a UID here: it takes the metadata from the stored object
    (apiextensions-apiserver, pkg/registry/customresource/status_strategy.go). An object that was
    just deleted and recreated may thus get the status of its predecessor, until the reconciliation
    that its creation triggers corrects it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def write(self, resource: Resource, live: Object, status: Object) -> bool:
        """Apply the whole status of an object; previously applied fields that it lacks are removed.

        Returns:
            Whether it was written: False if `live` has it already, or the object is gone.

        Raises:
            ApiError: The API server rejected the request.
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
