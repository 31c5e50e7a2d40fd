"""Parts of a document that the tools lose are in the report, with operation and place."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.importers.report import Note, Report
from support.openapi_documents import get, imported, openapi, post, swagger, tool

TEXT = {"type": "string"}
LONG = "This is one of many sentences. " * 40
X = "#/paths/~1things/post/requestBody/content/application~1json/schema/properties/x"


def body(schema: Any) -> dict[str, Any]:
    return post({"type": "object", "properties": {"x": schema}})


def notes(document: dict[str, Any], *others: tuple[str, Any], **options: Any) -> list[Note]:
    return list(imported(document, *others, **options).report.notes)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"type": "string", "pattern": r"a\Z"}, "cannot use the regular expression"),
        ({"patternProperties": {"(": TEXT}}, "cannot use the regular expression"),
        ({"type": "string", "pattern": "/^a$/i"}, "has slashes around it"),
        ({"type": "string", "maxLength": "ten"}, 'maxLength to be "ten"'),
        ({"type": "integer", "minimum": "ten"}, 'minimum to be "ten"'),
        ({"type": "string", "required": True}, "required to be true"),
        ({"type": "strnig"}, 'type to be "strnig"'),
        ({"type": "array", "items": "string"}, "the keyword items cannot have this value"),
        ({"type": "object", "properties": ["a"]}, "the keyword properties cannot have this value"),
        (
            {"type": "array", "items": TEXT, "max_items": 2},
            "the keyword max_items is not supported",
        ),
        ({"dependencies": {"a": ["b"]}}, "the keyword dependencies is not supported"),
        ({"type": "integer", "default": "ten"}, 'the default "ten" does not fit'),
        ({"type": "string", "enum": ["a", 1]}, "the enum of type string has 1"),
        ({"required": ["a", "b", "a"]}, 'required lists "a" more than once'),
        ({"type": "string", "description": LONG}, "the description has more than 1000 characters"),
        ({"$ref": "#/components/schemas/No"}, "which does not exist, so any value is accepted"),
    ],
)
def test_a_lost_constraint_is_reported_with_operation_and_place(written: Any, told: str) -> None:
    (note,) = notes(openapi(body(written)))

    assert told in note.text
    assert (note.place, note.tools) == (X, ("make",))


@pytest.mark.parametrize(
    "written",
    [
        {"type": "string", "example": "a", "xml": {"name": "x"}, "x-go-name": "X"},
        {"type": "string", "nullable": True, "externalDocs": {"url": "https://example.com"}},
        {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9},
        {"type": "string", "deprecated": False, "uniqueItems": False, "enum": [], "required": []},
        {"type": "any"},
        {"type": "string", "default": None, "pattern": "^a$", "maxLength": 5.0},
        {"type": "array", "items": [TEXT], "additionalItems": False},
    ],
)
def test_translated_or_empty_constraints_are_not_reported(written: Any) -> None:
    assert notes(openapi(body(written), "3.0.3")) == []


def test_a_loss_in_a_named_schema_is_reported_for_every_tool_that_uses_it() -> None:
    box = {"type": "object", "properties": {"size": {"type": "string", "maxLength": "ten"}}}
    reference = {"$ref": "#/components/schemas/Box"}
    order = {"type": "object", "properties": {"box": reference}}
    paths = {
        f"/{name}": {
            "post": {"operationId": name, **post(schema)["/things"]["post"]} | {"operationId": name}
        }
        for name, schema in (("direct", reference), ("order", order), ("other", TEXT))
    }

    (note,) = notes(openapi(paths, components={"schemas": {"Box": box}}))
    assert note.place == "#/components/schemas/Box/properties/size"
    assert note.tools == ("direct", "order")


def test_a_loss_in_a_subtype_is_reported_for_tools_that_use_its_base() -> None:
    reference = {"$ref": "#/components/schemas/Pet"}
    pet = {
        "type": "object",
        "properties": {"kind": TEXT},
        "discriminator": {"propertyName": "kind"},
    }
    cat = {"allOf": [reference, {"properties": {"claws": {"type": "claw"}}}]}
    paths = {f"/{name}": post(reference)["/things"] for name in ("a", "b")}
    for name, item in paths.items():
        item["post"] = {**item["post"], "operationId": name[1:]}

    (note,) = notes(openapi(paths, components={"schemas": {"Pet": pet, "Cat": cat}}))
    assert note.place == "#/components/schemas/Cat/allOf/1/properties/claws"
    assert note.tools == ("a", "b")


def test_a_loss_in_another_document_is_reported_with_the_name_of_the_document() -> None:
    other = {"Thing": {"type": "object", "properties": {"n": {"type": "number!"}}}}
    document = openapi(post({"$ref": "types.yaml#/Thing"}))

    (note,) = notes(document, ("file:///api/types.yaml", other))
    assert note.place == "types.yaml#/Thing/properties/n"


def test_a_loss_in_a_parameter_is_reported_with_its_place() -> None:
    named = {"name": "q", "in": "query", "description": LONG, "schema": {"type": "string?"}}
    field = {"name": "f", "in": "formData", "type": "string?"}
    form = {"/things": {"post": {"operationId": "make", "parameters": [field]}}}

    places = [note.place for note in notes(openapi(get(named)))]
    assert places == ["#/paths/~1things/get/parameters/0/schema"] * 2
    (note,) = notes(swagger(form))
    assert note.place == "#/paths/~1things/post/formData/properties/f"


def test_a_loss_in_a_result_is_reported_only_if_output_schemas_are_imported() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "text?"}}}
    answer = {"description": "ok", "content": {"application/json": {"schema": schema}}}
    document = openapi({"/me": {"get": {"responses": {"200": answer}}}})

    assert notes(document) == []
    (note,) = notes(document, output_schemas=True)
    assert note.place.endswith("/responses/200/content/application~1json/schema/properties/id")


def test_a_loss_in_a_media_type_that_is_not_used_is_not_reported() -> None:
    paths = post(TEXT)
    content = paths["/things"]["post"]["requestBody"]["content"]
    content["application/xml"] = {"schema": {"type": "text?"}}

    assert notes(openapi(paths)) == []


def test_keywords_beside_a_reference_are_reported_if_they_are_ignored() -> None:
    document = body({"$ref": "#/components/schemas/Size", "minimum": 1, "description": "Its size."})
    root = {"components": {"schemas": {"Size": {"type": "integer"}}}}

    (note,) = notes(openapi(document, "3.0.3", **root))
    assert note.text == "before OpenAPI 3.1, keywords beside a $ref have no effect: minimum"
    assert notes(openapi(document, "3.1.0", **root)) == []


@pytest.mark.parametrize(
    ("written", "value", "other"),
    [
        ({"type": "string", "pattern": "/^[a-z]+$/"}, "abc", "ABC"),
        ({"type": "string", "pattern": "/^[a-z]+$/i"}, "ABC", "1"),
        ({"type": "string", "pattern": "/^[a-z]+/"}, "abc1", "1"),
        ({"type": "string", "enum": [1, 2.5, True]}, "2.5", 1),
        ({"type": "integer", "enum": ["1", "2"]}, 1, 3),
        ({"type": "boolean", "enum": ["true"]}, True, False),
        ({"type": "object", "required": ["a", "a", 5]}, {"a": 1}, {}),
        ({"type": "object", "dependentRequired": {"a": ["b", "b"]}}, {"a": 1, "b": 2}, {"a": 1}),
        ({"type": "string", "maxLength": 2.0}, "ab", "abc"),
    ],
)
def test_a_common_mistake_in_a_schema_is_corrected(written: Any, value: Any, other: Any) -> None:
    schema = CompiledSchema(tool(openapi(body(written)))["inputSchema"])

    assert schema.errors({"x": value}) == []
    assert schema.errors({"x": other})


@pytest.mark.parametrize(
    "written",
    [
        {"type": "string", "pattern": "/a/"},
        {"type": "string", "pattern": r"/a\$/"},
        {"type": "string", "enum": ["1", None]},
        {"type": ["string", "integer"], "enum": ["1", 1]},
        {"enum": ["1", 1, True]},
        {"type": "integer", "enum": ["one", "1.5"]},
    ],
)
def test_a_correct_schema_that_resembles_a_mistake_is_kept(written: Any) -> None:
    made = tool(openapi(body(written)))["inputSchema"]["properties"]["x"]

    assert {key: made[key] for key in written} == written


def test_a_name_that_is_required_twice_is_written_once() -> None:
    thing = {"type": "object", "properties": {"id": TEXT}, "required": ["id", "id"]}
    answer = {"description": "ok", "content": {"application/json": {"schema": thing}}}
    paths = post(thing)
    paths["/things"]["post"]["responses"] = {"200": answer}

    entry = tool(openapi(paths), output_schemas=True)
    assert entry["inputSchema"]["required"] == ["id"]
    assert entry["outputSchema"]["required"] == ["id"]


def test_a_report_lists_three_places_and_tools_and_a_whole_report_lists_all() -> None:
    tools = tuple("abcde")
    report = Report(
        *(5, 5, 5, 1, ()),
        (
            *(Note("it is so", f"#/{number}", tools) for number in range(5)),
            Note("well", "", ("a",)),
        ),
    )

    assert list(report.lines()) == [
        *(f"note: it is so (a, b, c and 2 more: #/{number})" for number in range(3)),
        "note: it is so (2 more places: --report FILE lists them)",
        "note: well (a)",
        "5 operations: 5 tools in 1 object, 0 skipped",
    ]
    whole = list(report.lines(whole=True))
    assert whole[:5] == [f"note: it is so (a, b, c, d, e: #/{number})" for number in range(5)]
    assert whole[5:] == ["note: well (a)", "5 operations: 5 tools in 1 object, 0 skipped"]


@pytest.mark.parametrize("reference", ["#/components/responses/No", "none.yaml#/R", "#/x"])
def test_an_unresolvable_response_drops_only_the_output_schema(
    reference: str,
) -> None:
    path = {"/me": {"get": {"operationId": "me", "responses": {"200": {"$ref": reference}}}}}

    outcome = imported(openapi(path), output_schemas=True)
    assert (outcome.report.skipped, outcome.report.tools) == ((), 1)
    (note,) = outcome.report.notes
    assert note.text.startswith(f"the response refers to '{reference}', ")
    assert note.tools == ("me",)
