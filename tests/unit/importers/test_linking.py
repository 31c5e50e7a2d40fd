"""Large schemas are reduced to the size limit, and stay correct."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.api.subschemas import SchemaCostError
from mcp_operator.importers.linking import Linker
from support.openapi_documents import imported, openapi, post, tool

TEXT = {"type": "string"}


def deep(levels: int, text: str) -> dict[str, Any]:
    """Return a schema of nested objects, each with a description."""
    schema: dict[str, Any] = {**TEXT, "description": text}
    for level in range(levels):
        schema = {
            "type": "object",
            "description": text,
            "properties": {f"f{level}": schema, "n": {**TEXT, "description": text}},
        }
    return schema


def test_a_small_schema_is_inlined() -> None:
    address = {"type": "object", "properties": {"street": TEXT}}
    reference = {"$ref": "#/components/schemas/Address"}
    document = openapi(
        post({"type": "object", "properties": {"from": reference, "to": reference}}),
        components={"schemas": {"Address": address}},
    )

    schema = tool(document)["inputSchema"]
    assert schema["properties"] == {"from": address, "to": address}
    assert "$defs" not in schema


def test_a_large_schema_with_many_uses_becomes_a_definition() -> None:
    big = {"type": "object", "properties": {f"field_{n}": TEXT for n in range(200)}}
    reference = {"$ref": "#/components/schemas/Big"}
    names = [f"part_{n}" for n in range(20)]
    document = openapi(
        post({"type": "object", "properties": dict.fromkeys(names, reference)}),
        components={"schemas": {"Big": big}},
    )

    schema = tool(document)["inputSchema"]
    assert set(map(str, schema["properties"].values())) == {str({"$ref": "#/$defs/Big"})}
    assert schema["$defs"] == {"Big": big}
    assert imported(document).report.notes == ()


@pytest.mark.parametrize(
    ("max_bytes", "loss"),
    [
        (64_000, ""),
        (8_000, "its descriptions are shortened"),
        (2_000, "its descriptions are left out"),
        (1_100, "it is cut at level"),
    ],
)
def test_a_schema_that_is_too_large_is_reduced_with_a_note(max_bytes: int, loss: str) -> None:
    schema = deep(10, "Twelve words of a sentence that is long. " * 20)
    outcome = imported(openapi(post(schema)), max_schema_bytes=max_bytes)

    (made,) = outcome.objects[0]["spec"]["tools"]
    assert len(json.dumps(made["inputSchema"])) <= max_bytes
    told = [note.text for note in outcome.report.notes]
    assert bool(told) == bool(loss)
    assert all(loss in note for note in told)


def test_a_reduced_schema_accepts_every_value_that_the_whole_accepts() -> None:
    whole = deep(8, "A text.")
    value: Any = "x"
    for level in range(8):
        value = {f"f{level}": value, "n": "y"}

    for max_bytes in (4_000, 900, 300):
        linked = Linker({}, max_bytes).link({"type": "object", "properties": {"it": whole}})
        assert CompiledSchema(linked.schema).errors({"it": value}) == []


def test_definitions_with_the_same_last_name_are_numbered() -> None:
    def node(name: str) -> dict[str, Any]:
        return {"type": "object", "properties": {"next": {"$ref": name}}}

    definitions = {"a#/x.Node": node("a#/x.Node"), "b#/y.Node": node("b#/y.Node")}
    references = {name: {"$ref": name} for name in definitions}
    linked = Linker(definitions, 64_000).link({"type": "object", "properties": references})

    assert list(linked.schema["$defs"]) == ["Node", "Node_2"]


KEYS = [f"d#/{letter}" for letter in "ABCDE"]
leaves = st.sampled_from([TEXT, {"type": "integer"}, {"type": "null"}]) | st.sampled_from(
    [{"$ref": key} for key in KEYS]
)
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("pqr"), inner, min_size=1, max_size=3).map(
            lambda properties: {"type": "object", "properties": properties}
        ),
        inner.map(lambda items: {"type": "array", "items": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"allOf": branches}),
    ),
    max_leaves=8,
)


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [one for child in node for one in references(child)]
    if not isinstance(node, dict):
        return []
    below = [one for child in node.values() for one in references(child)]
    return [*([node["$ref"]] if isinstance(node.get("$ref"), str) else []), *below]


@settings(max_examples=150)
@given(definitions=st.fixed_dictionaries(dict.fromkeys(KEYS, nested)), root=nested)
def test_every_reference_in_a_linked_schema_resolves(
    definitions: dict[str, Any], root: Any
) -> None:
    schema = {"type": "object", "properties": {"x": root}}
    try:
        linked = Linker(definitions, 64_000).link(schema)
    except SchemaCostError:  # merging costs more than the limit for one tool, so it is rejected
        reject()

    names = {f"#/$defs/{name}" for name in linked.schema.get("$defs", {})}
    assert set(references(linked.schema)) <= names
    CompiledSchema(linked.schema)
    assert Linker(definitions, 64_000).link(schema) == linked


def named(definitions: dict[str, Any], root: Any) -> Any:
    """Return the outcome for a tool with one field that refers to schemas, and for a plain tool."""
    body = post({"type": "object", "properties": {"x": root}})
    schemas = {"schemas": definitions}
    return imported(openapi({**body, "/good": {"get": {}}}, components=schemas))


def of(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_merging_recursive_types_ends() -> None:
    one = {"type": "object", "properties": {"p": of("A"), "q": of("B")}}
    other = {"type": "object", "properties": {"p": of("B"), "q": of("A")}}

    outcome = named({"A": one, "B": other}, {"allOf": [of("A"), of("B")]})
    schema = outcome.objects[0]["spec"]["tools"][0]["inputSchema"]
    assert schema["properties"]["x"] == {"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}
    CompiledSchema(schema)


def pairs(levels: int, own: Any) -> dict[str, Any]:
    """Return types that each extend the two types of the next level."""
    last = {f"{letter}{levels}": own(letter, levels) for letter in "XY"}
    return last | {
        f"{letter}{level}": {
            "allOf": [of(f"X{level + 1}"), of(f"Y{level + 1}")],
            **own(letter, level),
        }
        for level in range(levels)
        for letter in "XY"
    }


def test_types_that_extend_each_other_in_pairs_are_imported() -> None:
    types = pairs(40, lambda letter, level: {"properties": {f"{letter}{level}": TEXT}})

    assert named(types, of("X0")).report.skipped == ()


def test_a_tool_that_costs_too_much_is_skipped_and_others_are_imported() -> None:
    types = pairs(
        40, lambda letter, level: {"properties": {"p": {"properties": {f"{letter}{level}": TEXT}}}}
    )

    outcome = named(types, of("X0"))
    ((label, reason),) = outcome.report.skipped
    assert (label, outcome.report.tools) == ("POST /things", 1)
    assert "merging its allOf takes more than 500000 steps" in reason
