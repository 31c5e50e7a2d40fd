"""The import of schemas: dialects, references, recursion, directions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.api.jsonschema import CompiledSchema
from support.openapi_documents import MAIN, imported, openapi, post, swagger, tool

TEXT = {"type": "string"}
N, T, P = (f"#/components/schemas/{name}" for name in ("Node", "Tree", "Pet"))


def field(schema: Any, version: str = "3.0.3", **root: Any) -> Any:
    """Return the imported schema of one field of a body."""
    document = openapi(post({"type": "object", "properties": {"x": schema}}), version, **root)
    return tool(document)["inputSchema"]["properties"]["x"]


def schemas(**named: Any) -> dict[str, Any]:
    return {"components": {"schemas": named}}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, TEXT),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"nullable": True, "oneOf": [TEXT, {"type": "integer"}]},
            {"oneOf": [TEXT, {"type": "integer"}, {"type": "null"}]},
        ),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"exclusiveMinimum": 0}),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": False}, {"maximum": 9}),
        ({"type": "string", "example": "a"}, {"examples": ["a"]}),
        ({"type": "integer", "example": "ten"}, {"type": "integer"}),
        ({"type": "string", "example": "long " * 50}, TEXT),
        ({"type": "string", "xml": {"attribute": True}, "x-go-name": "X"}, TEXT),
        ({"type": "string", "externalDocs": {"url": "https://example.com"}}, TEXT),
        ({"type": "file"}, {"type": "string", "format": "binary"}),
        ({"type": "float", "format": "double"}, {"type": "number", "format": "double"}),
        ({"type": "any"}, {}),
        ({"type": "string", "required": True}, TEXT),
        ({"type": "string", "enum": []}, TEXT),
        ({"type": "string", "maxLength": "ten"}, TEXT),
        ({"type": "integer", "default": "ten", "minimum": 1}, {"type": "integer", "minimum": 1}),
        ({"type": "array", "items": [TEXT], "additionalItems": False}, {"items": False}),
        ({"title": "X", "type": "string"}, TEXT),
        ({"title": "The size", "type": "string"}, {"title": "The size"}),
        ({"title": "The size", "description": "How big.", "type": "string"}, {"type": "string"}),
    ],
)
def test_schemas_of_all_dialects_become_json_schema_2020_12(
    written: Any, read: dict[str, Any]
) -> None:
    schema = field(written)

    assert {key: schema.get(key) for key in read} == read
    allowed = {*read, *written, "examples", "prefixItems"} - {"example", "nullable", "xml"}
    assert schema.keys() <= allowed
    CompiledSchema(schema)


def test_both_notations_of_null_in_openapi_3_1_become_a_list_of_types() -> None:
    assert field({"anyOf": [TEXT, {"type": "null"}]}, "3.1.0") == {"type": ["string", "null"]}
    assert field({"type": ["string", "null"]}, "3.1.0") == {"type": ["string", "null"]}


@pytest.mark.parametrize("pattern", [r"(?<year>\d{4}", r"\p{Han}{900}{900}", "[z-a]"])
def test_an_unsupported_pattern_is_dropped_and_the_schema_kept(pattern: str) -> None:
    assert field({"type": "string", "pattern": pattern}) == TEXT


def test_a_supported_pattern_is_kept() -> None:
    assert field({"type": "string", "pattern": "^a+$"})["pattern"] == "^a+$"


def test_read_only_properties_are_omitted_from_input_schemas() -> None:
    identity = {"type": "integer", "readOnly": True}
    document = openapi(
        post(
            {
                "type": "object",
                "properties": {
                    "id": identity,
                    "made": {"$ref": "#/components/schemas/Made"},
                    "kept": {"allOf": [{"$ref": "#/components/schemas/Made"}]},
                    "inner": {
                        "type": "object",
                        "properties": {"id": identity, "name": TEXT},
                        "required": ["id", "name"],
                    },
                },
                "required": ["id", "made", "inner"],
            }
        ),
        **schemas(Made={"type": "string", "readOnly": True}),
    )

    schema = tool(document)["inputSchema"]
    assert list(schema["properties"]) == ["inner"]
    assert schema["required"] == ["inner"]
    assert schema["properties"]["inner"] == {
        "type": "object",
        "properties": {"name": TEXT},
        "required": ["name"],
    }


def test_a_property_that_is_read_only_in_one_part_of_an_all_of_is_not_required() -> None:
    document = openapi(
        post({"allOf": [{"$ref": "#/components/schemas/Base"}, {"required": ["id", "name"]}]}),
        **schemas(Base={"properties": {"id": {"readOnly": True}, "name": TEXT}}),
    )

    assert tool(document)["inputSchema"]["required"] == ["name"]


def test_write_only_properties_are_omitted_from_output_schemas() -> None:
    secret = {"type": "string", "writeOnly": True}
    schema = {"type": "object", "properties": {"id": TEXT, "secret": secret}}
    answer = {"description": "ok", "content": {"application/json": {"schema": schema}}}
    document = openapi({"/me": {"get": {"responses": {"200": answer}}}})

    assert "outputSchema" not in tool(document)
    output = tool(document, output_schemas=True)["outputSchema"]
    assert output["properties"] == {"id": TEXT}


def test_a_result_that_is_not_an_object_has_no_output_schema() -> None:
    answer = {"description": "ok", "schema": {"type": "array", "items": TEXT}}
    document = swagger({"/me": {"get": {"responses": {"200": answer}}}})

    assert "outputSchema" not in tool(document, output_schemas=True)


def test_keywords_beside_a_reference_are_merged_as_the_version_defines() -> None:
    reference = {"$ref": "#/components/schemas/Size", "description": "Of the box."}
    size = {"type": "integer", "description": "A size.", "minimum": 1}

    assert field(reference, **schemas(Size=size)) == {
        "type": "integer",
        "description": "Of the box.",
        "minimum": 1,
    }
    assert field({**reference, "maximum": 9}, "3.1.0", **schemas(Size=size))["maximum"] == 9
    assert "maximum" not in field({**reference, "maximum": 9}, "3.0.3", **schemas(Size=size))


def test_a_recursive_schema_becomes_a_definition() -> None:
    node = {
        "type": "object",
        "properties": {"name": TEXT, "next": {"$ref": "#/components/schemas/Node"}},
    }

    document = openapi(
        post({"type": "object", "properties": {"x": {"$ref": N}}}), **schemas(Node=node)
    )
    schema = tool(document)["inputSchema"]
    assert schema["properties"]["x"] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"]["properties"]["next"] == {"$ref": "#/$defs/Node"}
    assert CompiledSchema(schema).errors({"x": {"next": {"next": {"name": 1}}}})


def test_the_fields_of_a_recursive_body_become_arguments() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": N}, "name": TEXT}}

    schema = tool(openapi(post({"$ref": N}), **schemas(Node=node)))["inputSchema"]
    assert schema["properties"] == {"next": {"$ref": "#/$defs/Node"}, "name": TEXT}


@pytest.mark.parametrize("keyword", ["recursive", "dynamic"])
def test_dynamic_and_recursive_references_of_json_schema_are_supported(keyword: str) -> None:
    anchor: Any = {"recursive": {"$recursiveAnchor": True}, "dynamic": {"$dynamicAnchor": "node"}}
    refers = {"recursive": {"$recursiveRef": "#"}, "dynamic": {"$dynamicRef": "#node"}}
    tree = {"type": "array", "items": {"anyOf": [TEXT, refers[keyword]]}, **anchor[keyword]}

    document = openapi(
        post({"type": "object", "properties": {"x": {"$ref": T}}}), **schemas(Tree=tree)
    )
    schema = tool(document)["inputSchema"]
    assert CompiledSchema(schema).errors({"x": [["a", ["b"]]]}) == []
    assert CompiledSchema(schema).errors({"x": [["a", [1]]]})


@pytest.mark.parametrize(
    "named",
    [
        {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}},
        {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}},
        {"A": {"$ref": "#/components/schemas/A", "description": "Itself."}},
    ],
)
def test_a_cycle_of_references_accepts_any_value(named: dict[str, Any]) -> None:
    body = {"type": "object", "properties": {"x": {"$ref": "#/components/schemas/A"}}}

    schema = tool(openapi(post(body), **schemas(**named)))["inputSchema"]
    assert CompiledSchema(schema).errors({"x": 1}) == []


def test_references_to_another_document_and_back_are_followed() -> None:
    other = {
        "Thing": {
            "type": "object",
            "properties": {
                "own": {"$ref": "#/Own"},
                "back": {"$ref": "openapi.json#/components/schemas/Here"},
            },
        },
        "Own": {"type": "integer"},
    }
    document = openapi(post({"$ref": "types.yaml#/Thing"}), **schemas(Here={"type": "boolean"}))

    schema = tool(document, ("file:///api/types.yaml", other))["inputSchema"]
    assert schema["properties"] == {"own": {"type": "integer"}, "back": {"type": "boolean"}}


def test_an_unresolvable_reference_drops_only_the_constraint() -> None:
    assert field({"$ref": "#/components/schemas/Missing"}) == {}


def test_an_operation_with_an_unresolvable_body_is_skipped_with_the_reason() -> None:
    paths = {
        "/a": {"post": {"requestBody": {"$ref": "#/components/requestBodies/No"}}},
        "/b": {"get": {}},
    }

    (skipped,) = imported(openapi(paths)).report.skipped
    assert skipped == (
        "POST /a",
        "refers to '#/components/requestBodies/No', which does not exist",
    )


def test_each_alternative_has_its_value_of_the_discriminator() -> None:
    cat = {"type": "object", "properties": {"kind": TEXT, "claws": {"type": "integer"}}}
    dog = {"type": "object", "properties": {"kind": {"type": "string", "enum": ["dog"]}}}
    pet = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {"kitty": "#/components/schemas/Cat", "dog": "Dog"},
        },
    }

    one, other = field({"$ref": P}, **schemas(Cat=cat, Dog=dog, Pet=pet))["oneOf"]
    assert one["properties"]["kind"] == {"type": "string", "const": "kitty"}
    assert one["required"] == ["kind"]
    assert other == dog


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_type_with_a_discriminator_accepts_its_subtypes(version: str) -> None:
    name = "kind"
    told = name if version == "2" else {"propertyName": name}
    base = "#/definitions/Pet" if version == "2" else P
    pet = {"type": "object", "properties": {name: TEXT}, "required": [name], "discriminator": told}
    cat = {"allOf": [{"$ref": base}, {"properties": {"claws": {"type": "integer"}}}]}
    if version == "2":
        body = {"name": "it", "in": "body", "required": True, "schema": {"$ref": base}}
        paths = {"/pets": {"post": {"parameters": [body]}}}
        document = swagger(paths, definitions={"Pet": pet, "Cat": cat})
    else:
        document = openapi(post({"$ref": base}), **schemas(Pet=pet, Cat=cat))

    entry = tool(document)
    assert entry["request"] == {"body": {"from": "body"}}
    first, second = entry["inputSchema"]["properties"]["body"]["anyOf"]
    assert first["properties"]["claws"] == {"type": "integer"}
    assert first["properties"][name] == {"type": "string", "const": "Cat"}
    assert second["properties"] == {name: TEXT}


def test_hidden_characters_in_texts_are_removed() -> None:
    hidden = "A name.\u202e\u200b\U000e0041 \x07Short.  \r\n"

    assert field({"type": "string", "description": hidden})["description"] == "A name. Short."


def test_a_reference_with_the_name_of_the_own_document_is_resolved_in_it() -> None:
    document = openapi(
        post({"$ref": f"{MAIN}#/components/schemas/A"}),
        **schemas(A={"type": "object", "properties": {"n": TEXT}}),
    )

    assert tool(document)["inputSchema"]["properties"] == {"n": TEXT}


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
@pytest.mark.parametrize("told", [True, False])
def test_a_type_that_lists_its_subtypes_does_not_contain_itself(
    keyword: str, *, told: bool
) -> None:
    pet: dict[str, Any] = {
        "type": "object",
        "properties": {"kind": TEXT, "size": {"type": "text?"}},
        "required": ["kind"],
        keyword: [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
    }
    if told:
        mapping = {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}
        pet["discriminator"] = {"propertyName": "kind", "mapping": mapping}
    cat: dict[str, Any] = {"allOf": [{"$ref": P}, {"properties": {"claws": {"type": "integer"}}}]}
    dog = {"allOf": [{"$ref": P}, {"properties": {"tail": TEXT}, "required": ["tail"]}]}
    cat["required"] = ["claws"]
    document = openapi(
        post({"type": "object", "properties": {"x": {"$ref": P}}}),
        **schemas(Pet=pet, Cat=cat, Dog=dog),
    )

    schema = tool(document)["inputSchema"]
    assert "$ref" not in json.dumps(schema)
    compiled = CompiledSchema(schema)
    assert compiled.errors({"x": {"kind": "dog", "tail": "long"}}) == []
    assert compiled.errors({"x": {"kind": "cat", "claws": 3}}) == []
    assert compiled.errors({"x": {"kind": "cat", "claws": "three"}})
    assert compiled.errors({"x": {"tail": "long"}})
    places = {note.place for note in imported(document).report.notes}
    assert places == {"#/components/schemas/Pet/properties/size"}
