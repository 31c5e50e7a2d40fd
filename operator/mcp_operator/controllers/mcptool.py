"""The reconciler of MCPTool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.api.conditions import Condition
from mcp_operator.api.tool_definition import definition_digest
from mcp_operator.api.v1alpha1 import MCPTool
from mcp_operator.builders.compiled import Compiled
from mcp_operator.controllers.catalog_object import CatalogObjectReconciler
from mcp_operator.controllers.event_reasons import EventReason
from mcp_operator.controllers.parsing import ParsedObject
from mcp_operator.core.meta import Object

LISTED_CHANGES: Final = 3
"""How many changed tools an Event names with their digests; its note has 1,024 bytes."""


class MCPToolReconciler(CatalogObjectReconciler):
    """Reports which tools an MCPTool declares, and the endpoint of its calls."""

    kind = "MCPTool"

    def details(self, parsed: ParsedObject | None, compiled: Compiled, *, ready: bool) -> Object:
        """Return the fields of an MCPTool's status."""
        names: list[str] = []
        if parsed is not None and isinstance(parsed.model, MCPTool):
            names = [tool.name for tool in parsed.model.spec.definitions if tool.enabled]
        entries = [entry for entry in compiled.entries if isinstance(entry, ToolEntry)]
        backends = [entry.backend for entry in entries]
        endpoint = (
            f"{backends[0].scheme}://{backends[0].host}:{backends[0].port}" if backends else ""
        )
        return {
            "ready": ready,
            "resolvedEndpoint": endpoint or None,
            "toolCount": len(names),
            "toolNames": names,
            "toolDigests": [
                {"name": entry.name, "digest": definition_digest(entry)} for entry in entries
            ],
        }

    async def write(self, raw: Object, fields: Object, conditions: Sequence[Condition]) -> bool:
        """Write the status; record an Event if the definitions that clients get have changed."""
        before, now = _digests(raw.get("status") or {}), _digests(fields)
        # A tool that is temporarily not served keeps the digest that clients know.
        known = before | now
        now = {name: known[name] for name in fields["toolNames"] if name in known}
        told = [{"name": name, "digest": digest} for name, digest in now.items()]
        written = await super().write(raw, fields | {"toolDigests": told}, conditions)
        if written:
            self._record_changes(raw, before, now)
        return written

    def _record_changes(
        self, raw: Object, before: Mapping[str, str], now: Mapping[str, str]
    ) -> None:
        changed = [name for name in now if before.get(name, now[name]) != now[name]]
        if not changed:
            return
        told = [f"{name} (now {now[name]})" for name in changed[:LISTED_CHANGES]]
        rest = len(changed) - LISTED_CHANGES
        more = f" and {rest} more" if rest > 0 else ""
        note = (
            f"the definitions that clients get have changed: {', '.join(told)}{more}. Review "
            "the changes"
        )
        self._reporter.tell(raw, EventReason.TOOL_DEFINITION_CHANGED, note)


def _digests(status: Object) -> dict[str, str]:
    return {each["name"]: each["digest"] for each in status.get("toolDigests") or ()}
