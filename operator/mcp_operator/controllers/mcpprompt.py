"""The reconciler of MCPPrompt."""

from __future__ import annotations

from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.v1alpha1 import MCPPrompt
from mcp_operator.builders.compile_prompt import undeclared, unused
from mcp_operator.builders.compiled import Compiled
from mcp_operator.controllers.catalog_object import CatalogObjectReconciler
from mcp_operator.controllers.parsing import ParsedObject
from mcp_operator.core.meta import Object

LISTED_VARIABLES = 64
"""Variables listed in a status, the limit of its schema; a text can use any number of them."""


class MCPPromptReconciler(CatalogObjectReconciler):
    """Reports whether the text and the variables of an MCPPrompt match."""

    kind = "MCPPrompt"
    stamp = "lastValidationTime"

    def details(self, parsed: ParsedObject | None, compiled: Compiled, *, ready: bool) -> Object:
        """Return the fields of an MCPPrompt's status."""
        del ready  # this kind has a condition for it, but no field
        if parsed is None or not isinstance(parsed.model, MCPPrompt):
            return {"validated": False}
        return {
            "validated": not compiled.findings_of(ConditionType.ACCEPTED),
            "variableCount": len(parsed.model.spec.variables),
            "undeclared": list(undeclared(parsed.model)[:LISTED_VARIABLES]),
            "unused": list(unused(parsed.model)),
        }
