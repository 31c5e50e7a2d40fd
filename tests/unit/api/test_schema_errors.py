"""Errors about a schema that does not compile name the place and the fix."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.jsonschema import CompiledSchema, SchemaError
from mcp_operator.api.schema_hints import schema_hints


def told(of_a: Any, **more: Any) -> str:
    with pytest.raises(SchemaError) as caught:
        CompiledSchema({"type": "object", "properties": {"a": of_a}, **more})
    return str(caught.value).removeprefix("the schema does not compile: ")


@pytest.mark.parametrize(
    ("schema", "place", "written"),
    [
        ({"type": "String"}, "#/properties/a/type", '"String"'),
        ({"items": {"type": "any"}}, "#/properties/a/items/type", '"any"'),
        ({"anyOf": [{}, {"type": "file"}]}, "#/properties/a/anyOf/1/type", '"file"'),
        ({"type": ["string", "Null"]}, "#/properties/a/type", '["string", "Null"]'),
        ({"type": None}, "#/properties/a/type", "null"),
        ({"properties": {"b/c": {"type": "int"}}}, "#/properties/a/properties/b~1c/type", '"int"'),
    ],
)
def test_an_error_about_an_invalid_type_lists_the_valid_types(
    schema: Any, place: str, written: str
) -> None:
    assert told(schema).startswith(f'{place}: {written} is not a type; the types are "array", ')


@pytest.mark.parametrize(
    ("schema", "place", "way_out"),
    [
        (
            {"minimum": 1, "exclusiveMinimum": True},
            "exclusiveMinimum",
            "write the limit here, and remove minimum",
        ),
        (
            {"maximum": 1, "exclusiveMaximum": False},
            "exclusiveMaximum",
            "write the limit here, and remove maximum",
        ),
        ({"items": [{"type": "string"}]}, "items", "a list of schemas goes in prefixItems"),
        ({"type": "string", "required": True}, "required", "list the names of required properties"),
        ({"required": "name"}, "required", "list the names of required properties"),
    ],
)
def test_an_error_about_an_old_keyword_names_its_replacement(
    schema: Any, place: str, way_out: str
) -> None:
    sentence = told(schema)
    assert sentence.startswith(f"#/properties/a/{place}: ")
    assert way_out in sentence


@pytest.mark.parametrize("name", ["type", "items", "required", "exclusiveMinimum"])
def test_a_property_named_like_an_old_keyword_is_a_property(name: str) -> None:
    sentence = told({"properties": {name: "string"}})
    assert sentence == (
        f'#/properties/a/properties/{name}: "string" is not of types "boolean", "object"'
    )


@pytest.mark.parametrize(
    ("schema", "place", "reference"),
    [
        ({"$ref": "#/definitions/x"}, "#/properties/a", "#/definitions/x"),
        ({"items": {"$ref": "#/components/schemas/X"}}, "#/properties/a/items",
         "#/components/schemas/X"),
        ({"allOf": [{"$ref": "#/$defs/there"}, {"$ref": "#nobody"}]}, "#/properties/a/allOf/1",
         "#nobody"),
        ({"$ref": "#/$defs/there/properties/b"}, "#/properties/a", "#/$defs/there/properties/b"),
    ],
)  # fmt: skip
def test_an_error_about_an_unresolvable_reference_names_its_place(
    schema: Any, place: str, reference: str
) -> None:
    assert told(schema, **{"$defs": {"there": {}}}) == (
        f"{place}: the $ref {reference} has no target in the schema: add the target to $defs"
    )


@pytest.mark.parametrize(
    ("part", "keyword"),
    [
        ({"type": "string", "nullable": True}, "nullable"),
        ({"prefixItems": [{}], "additionalItems": {"type": "string"}}, "additionalItems"),
        ({"prefixItems": [{}], "additionalItems": True}, "additionalItems"),
    ],
)
def test_a_keyword_that_is_ignored_gets_a_hint(part: Any, keyword: str) -> None:
    [(place, hint)] = schema_hints({"properties": {"a": {"items": part}}})
    assert place == f"/properties/a/items/{keyword}"
    assert hint.startswith(f"{keyword} has no effect in JSON Schema 2020-12")


def test_a_property_named_like_an_ignored_keyword_gets_no_hint() -> None:
    names = ("nullable", "additionalItems")
    assert schema_hints({"properties": {name: {"type": "boolean"} for name in names}}) == []
