"""The reconciler of MCPTool."""

from __future__ import annotations

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.api.v1alpha1 import MCPTool
from mcp_operator.builders.compiled import Compiled
from mcp_operator.controllers.catalog_object import CatalogObjectReconciler
from mcp_operator.controllers.parsing import ParsedObject
from mcp_operator.core.meta import Object


class MCPToolReconciler(CatalogObjectReconciler):
    """Says of an MCPTool which tools it declares and where its calls go."""

    kind = "MCPTool"

    def details(self, parsed: ParsedObject | None, compiled: Compiled, *, ready: bool) -> Object:
        """Return the fields of an MCPTool's status."""
        names: list[str] = []
        if parsed is not None and isinstance(parsed.model, MCPTool):
            names = [tool.name for tool in parsed.model.spec.definitions if tool.enabled]
        backends = [entry.backend for entry in compiled.entries if isinstance(entry, ToolEntry)]
        endpoint = (
            f"{backends[0].scheme}://{backends[0].host}:{backends[0].port}" if backends else ""
        )
        return {
            "ready": ready,
            "resolvedEndpoint": endpoint or None,
            "toolCount": len(names),
            "toolNames": names,
        }
