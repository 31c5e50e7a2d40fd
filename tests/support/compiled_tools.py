"""The entry that one MCPTool compiles to, or the finding if it is invalid."""

from __future__ import annotations

from typing import Any

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.builders.compiled import Finding
from mcp_operator.builders.references import Facts
from support.compiled import facts, tool

INPUT = {"type": "object", "properties": {"id": {"type": "string"}, "limit": {"type": "integer"}}}


def entry(given: Facts | None = None, /, **spec: Any) -> ToolEntry:
    """Return the only entry that a valid object compiles to."""
    compiled = compile_tool(tool(**spec), given or facts())
    assert [finding for finding in compiled.findings if finding.blocking] == []
    [only] = compiled.entries
    assert isinstance(only, ToolEntry)
    return only


def finding(given: Facts | None = None, /, **spec: Any) -> Finding:
    """Return the only finding of an object that compiles to no entry."""
    compiled = compile_tool(tool(**spec), given or facts())
    assert compiled.entries == ()
    [only] = compiled.findings
    return only


def places(compiled: ToolEntry) -> dict[str, tuple[str, str]]:
    return {a.name: (a.location, a.target) for a in compiled.backend.arguments}
