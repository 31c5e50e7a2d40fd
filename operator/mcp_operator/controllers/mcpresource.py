"""The reconciler of MCPResource."""

from __future__ import annotations

import base64

from mcp_operator.api.catalog import ResourceEntry
from mcp_operator.api.v1alpha1 import MCPResource
from mcp_operator.builders.compiled import Compiled
from mcp_operator.controllers.catalog_object import CatalogObjectReconciler
from mcp_operator.controllers.parsing import ParsedObject
from mcp_operator.core.meta import Object


class MCPResourceReconciler(CatalogObjectReconciler):
    """Reports the URIs of an MCPResource, and its size if it is known."""

    kind = "MCPResource"

    def details(self, parsed: ParsedObject | None, compiled: Compiled, *, ready: bool) -> Object:
        """Return the fields of an MCPResource's status."""
        entries = [entry for entry in compiled.entries if isinstance(entry, ResourceEntry)]
        sizes = [size for size in map(_size, entries) if size is not None]
        operations = 0
        if parsed is not None and isinstance(parsed.model, MCPResource):
            operations = len(parsed.model.spec.operations)
        return {
            "ready": ready,
            "operationCount": operations,
            "uris": [entry.uri or entry.uri_template for entry in entries],
            "sizeBytes": sum(sizes) if sizes else None,
        }


def _size(entry: ResourceEntry) -> int | None:
    if entry.text is not None:
        return len(entry.text.encode())
    if entry.blob is not None:
        return len(base64.b64decode(entry.blob))
    return None
