"""Hostile content of one object affects that object, and no other of its server."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import from_json, to_json

from mcp_operator.api.catalog import Catalog, ServerSettings
from mcp_operator.api.reasons import Reason
from mcp_operator.api.shards import decode, encode
from mcp_operator.api.v1alpha1 import MCPTool
from mcp_operator.builders.catalog import entry_keys_of, references_of
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.builders.compiled import Compiled
from support.compiled import TO_ORDERS, facts
from support.hostile_schemas import nested
from support.manifests import manifest

LISTS = (lambda inner: [inner], "lists")
OBJECTS = (lambda inner: {"a": inner}, "objects")

READ_LIMIT = 200
"""Levels that the operator's JSON parser takes: of the whole object, whose spec is the second."""


def in_a_field(field: str, value: Any) -> dict[str, Any]:
    return {"name": "search", "service": TO_ORDERS, field: value}


def in_an_entry(field: str, value: Any) -> dict[str, Any]:
    return {"service": TO_ORDERS, "tools": [{"name": "search", field: value}]}


def compiled(spec: dict[str, Any]) -> Compiled:
    """Compile an object as if from the API server, and use the result as the operator does."""
    tool = MCPTool.model_validate(from_json(to_json(manifest("MCPTool", spec, namespace="demo"))))
    references_of(tool)
    entry_keys_of(tool)
    result = compile_tool(tool, facts())
    catalog = Catalog(server=ServerSettings(namespace="demo", name="shop"), tools=result.entries)
    encoded = encode(catalog)
    assert decode(encoded.index, encoded.shards) == catalog
    return result


@pytest.mark.parametrize(("wrap", "_"), [LISTS, OBJECTS], ids=["lists", "objects"])
@pytest.mark.parametrize("place", [in_a_field, in_an_entry])
@pytest.mark.parametrize("levels", [10, 50, 62, 66, 120, 180, 190])
@pytest.mark.parametrize("field", ["inputSchema", "outputSchema", "constants"])
def test_nesting_of_any_depth_is_served_or_reported(
    field: str, levels: int, place: Any, wrap: Any, _: str
) -> None:
    value = {"type": "object", "default": nested(wrap, levels, 1)}
    spec = place("request", {"body": {"constants": value}})
    result = compiled(spec if field == "constants" else place(field, value))
    assert len(result.entries) + len(result.findings) == 1
    if levels > 64:
        [finding] = result.findings
        assert finding.reason in (Reason.SCHEMA_TOO_COMPLEX, Reason.INVALID)
        assert "nested deeper than 64 levels" in finding.message
        assert len(finding.message) < 1000
    if levels < 60:
        assert result.entries


@pytest.mark.parametrize("field", ["inputSchema", "outputSchema", "constants"])
def test_many_and_long_names_are_served_or_reported(field: str) -> None:
    for value in ({f"name{n}" * 8: True for n in range(10_000)}, {"n" * 400_000: True}):
        schema = {"type": "object", "properties": value}
        spec = in_a_field("request", {"body": {"constants": value}})
        result = compiled(spec if field == "constants" else in_a_field(field, schema))
        assert len(result.entries) + len(result.findings) == 1
        if field != "constants":
            assert [finding.reason for finding in result.findings] == [Reason.SCHEMA_TOO_COMPLEX]
            assert len(result.findings[0].message) < 1000


def test_a_schema_with_many_trivial_alternatives_is_served() -> None:
    schema = {"type": "object", "anyOf": [True] * 40_000, "properties": {"a": {}}}
    assert [entry.name for entry in compiled(in_a_field("inputSchema", schema)).entries] == [
        "search"
    ]
