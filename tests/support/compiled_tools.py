"""What becomes of one MCPTool: the entry that it compiles to, or the finding that says why not."""

from __future__ import annotations

from typing import Any

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.builders.compiled import Finding
from mcp_operator.builders.references import Facts
from support.compiled import facts, tool

INPUT = {"type": "object", "properties": {"id": {"type": "string"}, "limit": {"type": "integer"}}}


def entry(given: Facts | None = None, /, **spec: Any) -> ToolEntry:
    """Return the one entry that a faultless object compiles to."""
    compiled = compile_tool(tool(**spec), given or facts())
    assert [finding for finding in compiled.findings if finding.blocking] == []
    [only] = compiled.entries
    assert isinstance(only, ToolEntry)
    return only


def finding(given: Facts | None = None, /, **spec: Any) -> Finding:
    """Return the one finding of an object that contributes nothing."""
    compiled = compile_tool(tool(**spec), given or facts())
    assert compiled.entries == ()
    [only] = compiled.findings
    return only


def places(compiled: ToolEntry) -> dict[str, tuple[str, str]]:
    return {a.name: (a.location, a.target) for a in compiled.backend.arguments}
