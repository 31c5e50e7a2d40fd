"""The media type of a body, and the arguments that it is built from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_operator.api.validation import problems
from mcp_operator.local.validation import validate
from support.openapi_documents import imported, openapi, post, swagger, text_of, tool

TEXT = {"type": "string"}
THING = {
    "type": "object",
    "properties": {"name": TEXT, "size": {"type": "integer"}},
    "required": ["name"],
}
BASE64 = {"type": "string", "contentEncoding": "base64"}


def request(entry: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = entry.get("request", {})
    return found


def contents(*types: str) -> dict[str, Any]:
    paths = post(THING)
    content = {type_: {"schema": THING} for type_ in types}
    paths["/things"]["post"]["requestBody"]["content"] = content
    return openapi(paths)


def test_the_fields_of_a_json_object_become_arguments() -> None:
    entry = tool(openapi(post(THING)))

    assert entry["inputSchema"] == THING
    assert "request" not in entry


@pytest.mark.parametrize(
    ("types", "taken"),
    [
        (("text/plain", "multipart/form-data", "application/json"), None),
        (("application/x-www-form-urlencoded", "application/json; charset=utf-8"), None),
        (("multipart/form-data", "application/x-www-form-urlencoded"), "urlencoded"),
        (("application/xml", "multipart/form-data"), "multipart/form-data"),
        (("application/octet-stream", "text/csv"), "text/csv"),
        (("application/json-patch+json", "application/merge-patch+json"), "merge-patch+json"),
        (("application/xml", "application/vnd.shop+json"), "application/vnd.shop+json"),
        (("*/*",), None),
    ],
)
def test_json_is_preferred_to_forms_and_forms_to_other_types(
    types: tuple[str, ...], taken: str | None
) -> None:
    content_type = request(tool(contents(*types))).get("contentType")

    assert (content_type or "").endswith(taken or "")
    assert (content_type is None) == (taken is None)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": TEXT},
        TEXT,
        {},
        {"type": "object", "additionalProperties": TEXT},
        {"oneOf": [THING, {"type": "array", "items": THING}]},
        {**THING, "minProperties": 2},
    ],
)
def test_a_json_body_that_is_not_an_object_is_one_argument(schema: dict[str, Any]) -> None:
    entry = tool(openapi(post(schema)))

    assert request(entry) == {"body": {"from": "body"}}
    assert entry["inputSchema"]["properties"] == {"body": schema}
    assert entry["inputSchema"]["required"] == ["body"]


def test_an_all_of_objects_is_merged_into_one_object() -> None:
    document = openapi(
        post({"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"color": TEXT}}]}),
        components={"schemas": {"Base": THING}},
    )

    assert list(tool(document)["inputSchema"]["properties"]) == ["name", "size", "color"]


def test_additional_properties_of_a_body_are_kept() -> None:
    schema = tool(openapi(post({**THING, "additionalProperties": False})))["inputSchema"]
    assert schema["additionalProperties"] is False

    schema = tool(openapi(post({**THING, "additionalProperties": TEXT})))["inputSchema"]
    assert schema["additionalProperties"] == TEXT


def test_an_optional_body_with_required_fields_stays_optional() -> None:
    entry = tool(openapi(post(THING, required=False)))

    assert request(entry) == {"body": {"from": "body"}}
    assert "required" not in entry["inputSchema"]


def test_a_field_with_the_name_of_a_parameter_is_renamed() -> None:
    paths = post({"type": "object", "properties": {"id": TEXT, "body_id": TEXT}})
    paths["/things/{id}"] = paths.pop("/things")

    entry = tool(openapi(paths))
    assert list(entry["inputSchema"]["properties"]) == ["id", "body_id_2", "body_id"]
    assert request(entry)["arguments"] == [{"name": "body_id_2", "in": "body", "as": "id"}]


@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_optional_body_of_get_and_delete_is_one_argument(method: str) -> None:
    paths = post({"type": "object", "properties": {"force": {"type": "boolean"}}}, required=False)
    paths["/things"][method] = paths["/things"].pop("post")

    assert request(tool(openapi(paths))) == {"body": {"from": "body"}}


def test_the_fields_of_a_required_body_of_delete_become_arguments() -> None:
    paths = post(THING)
    paths["/things"]["delete"] = paths["/things"].pop("post")

    assert request(tool(openapi(paths)))["arguments"] == [
        {"name": "name", "in": "body"},
        {"name": "size", "in": "body"},
    ]


def test_a_body_of_a_head_request_is_dropped_with_a_note() -> None:
    paths = post(THING)
    paths["/things"]["head"] = paths["/things"].pop("post")

    outcome = imported(openapi(paths))
    assert "inputSchema" not in outcome.objects[0]["spec"]["tools"][0]
    assert "note: a HEAD request has no body, so the body is left out (make)" in list(
        outcome.report.lines()
    )


def test_files_of_a_multipart_form_are_arguments_in_base64() -> None:
    schema = {
        "type": "object",
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "A picture."},
            "more": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "modern": {"contentMediaType": "image/png"},
            "note": TEXT,
            "kept": {"type": "string", "contentEncoding": "base64"},
            "details": THING,
        },
    }
    entry = tool(openapi(post(schema, "multipart/form-data")))

    properties = entry["inputSchema"]["properties"]
    assert properties["file"] == {**BASE64, "description": "A picture."}
    assert properties["more"] == {"type": "array", "items": BASE64}
    assert properties["modern"] == BASE64
    assert properties["note"] == properties["kept"] == TEXT
    assert request(entry) == {"contentType": "multipart/form-data"}


def test_a_file_or_a_list_of_files_becomes_a_list_of_files() -> None:
    file = {"type": "string", "format": "binary"}
    either = {"anyOf": [file, {"type": "array", "items": file}]}
    document = openapi(
        post({"type": "object", "properties": {"image": either}}, "multipart/form-data")
    )

    (schema,) = tool(document)["inputSchema"]["properties"].values()
    assert schema == {"type": "array", "items": BASE64}


def test_the_encoding_of_a_form_is_kept() -> None:
    paths = post(
        {"type": "object", "properties": {"tags": {"type": "array", "items": TEXT}, "at": THING}},
        "application/x-www-form-urlencoded",
    )
    content = paths["/things"]["post"]["requestBody"]["content"]
    content["application/x-www-form-urlencoded"]["encoding"] = {
        "tags": {"style": "pipeDelimited"},
        "at": {"style": "deepObject", "explode": True},
    }

    assert request(tool(openapi(paths)))["arguments"] == [
        {"name": "tags", "in": "body", "style": "pipeDelimited"},
        {"name": "at", "in": "body", "style": "deepObject"},
    ]


def test_the_media_type_of_a_part_is_kept_if_it_has_exactly_one() -> None:
    paths = post({"type": "object", "properties": {"a": THING, "b": TEXT}}, "multipart/form-data")
    content = paths["/things"]["post"]["requestBody"]["content"]
    content["multipart/form-data"]["encoding"] = {
        "a": {"contentType": "application/vnd.shop+json"},
        "b": {"contentType": "image/png, image/jpeg"},
    }

    assert request(tool(openapi(paths)))["arguments"] == [
        {"name": "a", "in": "body", "contentType": "application/vnd.shop+json"}
    ]


def test_an_object_in_a_form_is_json_by_default() -> None:
    schema = {"type": "object", "properties": {"at": THING}}
    entry = tool(openapi(post(schema, "application/x-www-form-urlencoded")))

    assert request(entry)["arguments"] == [{"name": "at", "in": "body", "style": "json"}]


def test_a_form_without_named_fields_is_one_object_argument() -> None:
    entry = tool(openapi(post({"additionalProperties": TEXT}, "application/x-www-form-urlencoded")))

    assert request(entry)["body"] == {"from": "body"}
    assert entry["inputSchema"]["properties"]["body"]["type"] == "object"


@pytest.mark.parametrize("type_", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_with_too_many_fields_to_rename_is_one_argument(type_: str) -> None:
    fields = {f"field.{n}": TEXT for n in range(65)}
    paths = post({"type": "object", "properties": fields}, type_)
    paths["/things/{id}"] = paths.pop("/things")

    entry = tool(openapi(paths))
    assert request(entry)["body"] == {"from": "body"}
    assert list(entry["inputSchema"]["properties"]) == ["id", "body"]
    assert entry["inputSchema"]["properties"]["body"]["properties"] == fields


def test_the_alternatives_of_a_form_are_merged() -> None:
    other = {"type": "object", "properties": {"name": TEXT, "url": TEXT}, "required": ["name"]}
    document = openapi(post({"oneOf": [THING, other]}, "multipart/form-data"))

    schema = tool(document)["inputSchema"]
    assert set(schema["properties"]) == {"name", "size", "url"}
    assert schema["required"] == ["name"]


@pytest.mark.parametrize(
    ("type_", "schema"),
    [
        ("application/octet-stream", BASE64),
        ("application/pdf", BASE64),
        ("text/csv", {"type": "string", "description": "Text of type text/csv."}),
        ("application/xml", {"type": "string", "description": "Text of type application/xml."}),
    ],
)
def test_a_body_without_fields_is_one_argument(type_: str, schema: dict[str, Any]) -> None:
    entry = tool(openapi(post({"type": "string"}, type_)))

    assert request(entry) == {"body": {"from": "body"}, "contentType": type_}
    assert entry["inputSchema"]["properties"] == {"body": schema}


def test_a_binary_media_type_is_preferred_to_json_with_binary_format() -> None:
    binary = {"type": "string", "format": "binary"}
    paths = post(binary)
    paths["/things"]["post"]["requestBody"]["content"]["application/x-tar"] = {"schema": binary}

    assert request(tool(openapi(paths)))["contentType"] == "application/x-tar"


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        ("multipart/mixed", "have no names"),
        ("multipart/form-data", "body have no names"),
    ],
)
def test_an_operation_with_a_multipart_body_without_fields_is_skipped(
    type_: str, reason: str
) -> None:
    paths = post({"type": "object"}, type_) | {"/good": {"get": {}}}

    ((label, told),) = imported(openapi(paths)).report.skipped
    assert label == "POST /things"
    assert reason in told


def test_a_form_of_swagger_2_is_urlencoded_or_multipart_if_it_has_a_file() -> None:
    name = {"name": "name", "in": "formData", "type": "string", "required": True}
    ids = {"name": "ids", "in": "formData", "type": "array", "items": TEXT}
    file = {"name": "file", "in": "formData", "type": "file", "description": "A picture."}

    entry = tool(swagger({"/things": {"post": {"parameters": [name, ids]}}}))
    assert request(entry)["contentType"] == "application/x-www-form-urlencoded"
    assert request(entry)["arguments"] == [
        {"name": "ids", "in": "body", "style": "form", "explode": False}
    ]
    assert entry["inputSchema"]["required"] == ["name"]

    entry = tool(swagger({"/things": {"post": {"parameters": [name, file]}}}))
    assert request(entry)["contentType"] == "multipart/form-data"
    assert entry["inputSchema"]["properties"]["file"] == {**BASE64, "description": "A picture."}


def test_the_body_of_swagger_2_has_the_consumed_media_type() -> None:
    body = {"name": "it", "in": "body", "required": True, "schema": TEXT}
    operation = {"parameters": [body], "consumes": ["application/x-tar"]}

    entry = tool(swagger({"/things": {"put": operation}}, consumes=["application/json"]))
    assert request(entry)["contentType"] == "application/x-tar"


@pytest.mark.parametrize("name", ["日本", "a b", "a;b", "", "n" * 129, "new\nline"])
@pytest.mark.parametrize("type_", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_with_a_field_that_cannot_be_an_argument_is_one_argument(
    name: str, type_: str
) -> None:
    schema = {"type": "object", "properties": {name: TEXT, "ok": TEXT}}
    outcome = imported(openapi(post(schema, type_)))

    (obj,) = outcome.objects
    (entry,) = obj["spec"]["tools"]
    assert problems(obj) == []
    assert entry["request"]["body"] == {"from": "body"}
    assert set(entry["inputSchema"]["properties"]["body"]["properties"]) == {name, "ok"}


@pytest.mark.parametrize("name", ["日本", "a b", "a;b"])
def test_a_part_that_cannot_be_sent_skips_the_operation_only_if_it_is_required(name: str) -> None:
    schema = {"type": "object", "properties": {name: TEXT, "ok": TEXT}}
    paths = {**post(schema, "multipart/form-data"), "/other": {"get": {}}}

    outcome = imported(openapi(paths))
    assert [problems(obj) for obj in outcome.objects] == [[]]
    assert [note.text for note in outcome.report.notes] == [
        f"the part {name!r} has a name that a tool cannot send, so it is left out"
    ]
    schema["required"] = [name]
    ((_, reason),) = imported(openapi(paths)).report.skipped
    assert reason == f"the part {name!r} has a name that a tool cannot send, and it is required"


@pytest.mark.parametrize(
    "encoding",
    [
        {"explode": False},
        {"explode": True},
        {"style": "form", "explode": False},
        {"style": "pipeDelimited"},
        {"allowReserved": True},
        {"contentType": "text/plain", "allowReserved": True},
    ],
)
@pytest.mark.parametrize("type_", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_a_tool_with_any_encoding_of_its_body_compiles(
    tmp_path: Path, encoding: dict[str, Any], type_: str
) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": TEXT}, "b": TEXT}}
    paths = post(schema, type_)
    content = paths["/things"]["post"]["requestBody"]["content"][type_]
    content["encoding"] = {"a": encoding, "b": encoding}
    file = tmp_path / "tools.yaml"
    file.write_text(text_of(imported(openapi(paths))))

    assert validate([file]).problems == ()


@pytest.mark.parametrize("format_", ["csv", "ssv", "pipes", "multi", "tsv"])
@pytest.mark.parametrize("consumed", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_a_list_in_a_form_of_swagger_2_compiles_with_its_collection_format(
    tmp_path: Path, consumed: str, format_: str
) -> None:
    field = {"name": "a", "in": "formData", "type": "array", "items": TEXT}
    operation = {"consumes": [consumed], "parameters": [{**field, "collectionFormat": format_}]}
    document = swagger({"/t": {"post": operation}})
    file = tmp_path / "tools.yaml"
    file.write_text(text_of(imported(document)))

    assert validate([file]).problems == ()
    mapped = tool(document).get("request", {}).get("arguments", [{}])[0]
    if format_ in ("csv", "ssv", "pipes"):
        assert (
            mapped["style"]
            == {
                "csv": "form",
                "ssv": "spaceDelimited",
                "pipes": "pipeDelimited",
            }[format_]
        )
    else:
        assert "style" not in mapped
