"""The arguments and endpoints of operations: paths, servers, parameters, styles."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.options import Backend
from support.openapi_documents import get, imported, openapi, swagger, tool, tools

STRINGS = {"type": "array", "items": {"type": "string"}}
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}


def arguments(entry: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = entry.get("request", {}).get("arguments", [])
    return found


def test_parameters_of_the_operation_override_those_of_the_path() -> None:
    shared = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    verbose = {"name": "verbose", "in": "query", "schema": {"type": "boolean"}}
    own = {**shared, "schema": {"type": "integer"}}
    document = openapi(
        {"/things/{id}": {"parameters": [shared, verbose], "get": {"parameters": [own]}}}
    )

    entry = tool(document)
    assert entry["path"] == "/things/{id}"
    assert entry["inputSchema"]["properties"] == {
        "id": {"type": "integer"},
        "verbose": {"type": "boolean"},
    }
    assert entry["inputSchema"]["required"] == ["id"]


def test_a_parameter_can_be_a_reference() -> None:
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
    document = openapi(
        get({"$ref": "#/components/parameters/Limit"}),
        components={"parameters": {"Limit": limit}},
    )

    assert tool(document)["inputSchema"]["properties"] == {"limit": {"type": "integer"}}


def test_an_undeclared_path_placeholder_is_an_argument() -> None:
    entry = tool(openapi(get(path="/things/{id}")))

    assert entry["inputSchema"] == {
        "type": "object",
        "properties": {"id": {"type": "string"}},
        "required": ["id"],
    }


@pytest.mark.parametrize(
    ("servers", "path"),
    [
        ([{"url": "https://api.example.com/v2/"}], "/v2/things"),
        ([{"url": "/api"}], "/api/things"),
        ([{"url": "https://api.example.com"}, {"url": "/other"}], "/things"),
        (
            [{"url": "https://{host}/{base}", "variables": {"base": {"default": "v3"}}}],
            "/v3/things",
        ),
        ([], "/things"),
    ],
)
def test_only_the_path_of_a_server_is_used(servers: list[Any], path: str) -> None:
    assert tool(openapi(get(), servers=servers))["path"] == path


def test_the_server_of_the_operation_overrides_those_of_path_and_document() -> None:
    paths = {
        "/a": {"servers": [{"url": "/path"}], "get": {"servers": [{"url": "/operation"}]}},
        "/b": {"servers": [{"url": "/path"}], "get": {}},
        "/c": {"get": {}},
    }

    found = tools(openapi(paths, servers=[{"url": "/document"}]))
    assert [entry["path"] for entry in found.values()] == ["/operation/a", "/path/b", "/document/c"]


def test_a_base_path_of_swagger_2_can_omit_the_leading_slash() -> None:
    assert tool(swagger(get(), basePath="x/api/v1"))["path"] == "/x/api/v1/things"


def test_a_given_base_path_replaces_that_of_the_document() -> None:
    document = openapi(get(), servers=[{"url": "/old"}])
    assert tool(document, backend=Backend(base_path="/new"))["path"] == "/new/things"


def test_a_query_in_a_path_becomes_constant_query_parameters() -> None:
    entry = tool(openapi(get(path="/things?beta=true&mode=a%20b")))

    assert entry["path"] == "/things"
    assert entry["request"]["query"] == [
        {"name": "beta", "value": "true"},
        {"name": "mode", "value": "a b"},
    ]


def test_characters_that_are_invalid_in_a_path_are_encoded() -> None:
    assert tool(openapi(get(path="/a b/ü")))["path"] == "/a%20b/%C3%BC"


@pytest.mark.parametrize(
    ("location", "parameter", "said"),
    [
        ("query", {"style": "form", "explode": True}, {}),
        ("query", {"explode": False}, {"explode": False}),
        ("query", {"style": "pipeDelimited"}, {"style": "pipeDelimited"}),
        (
            "query",
            {"style": "spaceDelimited", "explode": True},
            {"style": "spaceDelimited", "explode": True},
        ),
        ("query", {"allowReserved": True}, {"allowReserved": True}),
        ("header", {"style": "simple", "explode": False}, {"in": "header"}),
        ("header", {"explode": True}, {"in": "header", "explode": True}),
        ("cookie", {}, {"in": "cookie"}),
        ("path", {"style": "label"}, {"style": "label"}),
        ("path", {"style": "matrix", "explode": True}, {"style": "matrix", "explode": True}),
        ("path", {"style": "simple"}, {}),
    ],
)
def test_style_and_explode_are_written_if_they_differ_from_the_default(
    location: str, parameter: dict[str, Any], said: dict[str, Any]
) -> None:
    path = "/things/{ids}" if location == "path" else "/things"
    given = {"name": "ids", "in": location, "schema": STRINGS, **parameter}

    entry = tool(openapi(get(given, path=path)))
    assert arguments(entry) == ([{"name": "ids", "in": location, **said}] if said else [])


def test_an_object_parameter_keeps_the_style_deep_object() -> None:
    given = {"name": "at", "in": "query", "style": "deepObject", "explode": True, "schema": OBJECT}

    assert arguments(tool(openapi(get(given)))) == [
        {"name": "at", "in": "query", "style": "deepObject"}
    ]


def test_explode_of_a_single_value_is_omitted() -> None:
    given = {"name": "q", "in": "query", "explode": False, "schema": {"type": "string"}}

    assert arguments(tool(openapi(get(given)))) == []


def test_a_style_that_is_invalid_for_its_location_is_omitted() -> None:
    given = {"name": "X-Ids", "in": "header", "style": "form", "schema": STRINGS}

    assert arguments(tool(openapi(get(given)))) == [{"name": "X-Ids", "in": "header"}]


def test_a_parameter_with_json_content_has_the_style_json() -> None:
    given = {"name": "at", "in": "query", "content": {"application/json": {"schema": OBJECT}}}

    entry = tool(openapi(get(given)))
    assert arguments(entry) == [{"name": "at", "in": "query", "style": "json"}]
    assert entry["inputSchema"]["properties"]["at"] == OBJECT


@pytest.mark.parametrize(
    ("collection", "said"),
    [
        (None, {"explode": False}),
        ("csv", {"explode": False}),
        ("multi", {}),
        ("ssv", {"style": "spaceDelimited"}),
        ("pipes", {"style": "pipeDelimited"}),
    ],
)
def test_collection_formats_of_swagger_2_become_styles(
    collection: str | None, said: dict[str, Any]
) -> None:
    given = {"name": "ids", "in": "query", **STRINGS}
    given |= {"collectionFormat": collection} if collection else {}

    entry = tool(swagger(get(given)))
    assert entry["inputSchema"]["properties"]["ids"] == STRINGS
    assert arguments(entry) == ([{"name": "ids", "in": "query", **said}] if said else [])


def test_a_list_that_is_separated_by_tabs_becomes_a_string() -> None:
    given = {"name": "ids", "in": "query", "collectionFormat": "tsv", **STRINGS}

    (schema,) = tool(swagger(get(given)))["inputSchema"]["properties"].values()
    assert schema["type"] == "string"


def test_arguments_of_a_post_outside_of_its_body_have_a_location() -> None:
    paths = get({"name": "dry", "in": "query", "schema": {"type": "boolean"}})
    paths["/things"]["post"] = paths["/things"].pop("get")

    assert arguments(tool(openapi(paths))) == [{"name": "dry", "in": "query"}]


@pytest.mark.parametrize(
    ("parameter", "template"),
    [
        ({"name": "filepath"}, "/contents/{filepath}"),
        ({"name": "name", "description": "May contain slashes."}, "/tags/{name}"),
        ({"name": "rest", "schema": {"type": "string", "format": "path"}}, "/files/{rest}"),
        ({"name": "rest", "schema": {"type": "string", "x-multi-segment": True}}, "/f/{rest}"),
        ({"name": "rest"}, "/files/{rest*}"),
        ({"name": "rest"}, "/files/{+rest}"),
    ],
)
def test_an_argument_that_is_a_path_can_contain_slashes(
    parameter: dict[str, Any], template: str
) -> None:
    given = {"in": "path", "required": True, "schema": {"type": "string"}, **parameter}

    entry = tool(openapi(get(given, path=template)))
    name = parameter["name"]
    assert arguments(entry) == [{"name": name, "in": "path", "allowReserved": True}]
    assert entry["path"].endswith(f"/{{{name}}}")


def test_an_id_argument_cannot_contain_slashes() -> None:
    given = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}

    assert arguments(tool(openapi(get(given, path="/things/{id}")))) == []


@pytest.mark.parametrize("name", ["Accept", "content-type", "Authorization", "Host", "Cookie"])
def test_protocol_and_credential_headers_are_not_arguments(name: str) -> None:
    given = {"name": name, "in": "header", "schema": {"type": "string"}}

    assert "inputSchema" not in tool(openapi(get(given)))


def test_a_default_is_described_and_not_sent() -> None:
    schema = {"type": "integer", "default": 20}
    given = {"name": "limit", "in": "query", "description": "How many.", "schema": schema}

    (shown,) = tool(openapi(get(given)))["inputSchema"]["properties"].values()
    assert shown == {"type": "integer", "description": "How many. Default: 20."}


@pytest.mark.parametrize("path", ["/a/../b", "/a/./b"])
def test_a_path_with_dot_segments_is_skipped(path: str) -> None:
    found = tools(openapi({**get(path=path), **get(path="/good")}))

    assert [entry["path"] for entry in found.values()] == ["/good"]


@pytest.mark.parametrize("reference", ["#/paths/~1none", "paths.yaml#/a", "#/x-circle"])
def test_a_path_with_an_unresolvable_reference_is_skipped_with_the_reason(reference: str) -> None:
    paths = {"/a": {"$ref": reference}, "/b": {"get": {"operationId": "b"}}}
    circle = {"x-circle": {"$ref": "#/x-circle"}}

    outcome = imported(openapi(paths) | circle)
    ((path, reason),) = outcome.report.skipped
    assert (path, outcome.report.tools) == ("/a", 1)
    assert reason.startswith(f"refers to '{reference}', ")
    with pytest.raises(
        OpenApiError,
        match=f"the paths of the document have no operations: /a refers to '{reference}'",
    ):
        imported(openapi({"/a": paths["/a"]}) | circle)


def test_operations_beside_a_reference_to_a_path_are_imported() -> None:
    item = {"get": {"operationId": "far"}, "put": {"operationId": "put"}}
    paths = {"/a": {"$ref": "#/x-item", "get": {"operationId": "near"}}}

    assert set(tools(openapi(paths) | {"x-item": item})) == {"near", "put"}


@pytest.mark.parametrize("method", ["trace", "query"])
def test_an_unsupported_method_is_skipped_with_the_reason(method: str) -> None:
    outcome = imported(openapi({"/a": {method: {}, "get": {}}}, "3.2.0"))

    ((label, reason),) = outcome.report.skipped
    assert label == f"{method.upper()} /a"
    assert method.upper() in reason


@pytest.mark.parametrize("separator", ["tsv", "ssv", "pipes"])
@pytest.mark.parametrize("location", ["path", "header", "query", "formData"])
def test_a_list_of_swagger_2_has_its_separator_or_becomes_a_string(
    location: str, separator: str
) -> None:
    items = {"type": "array", "items": {"type": "string"}, "collectionFormat": separator}
    parameter = {"name": "q", "in": location, "required": True, "description": "Sizes.", **items}
    path = "/t/{q}" if location == "path" else "/t"

    entry = tool(swagger({path: {"post": {"parameters": [parameter]}}}))
    schema = entry["inputSchema"]["properties"]["q"]
    if separator == "tsv" or location in ("path", "header"):
        between = {"tsv": "tabs", "ssv": "spaces", "pipes": "|"}[separator]
        told = f"Sizes. Several values, with {between} between them."
        assert schema == {"type": "string", "description": told}
        assert "style" not in json.dumps(entry)
    else:
        (mapped,) = arguments(entry)
        assert schema["type"] == "array"
        assert mapped["style"] == {"ssv": "spaceDelimited", "pipes": "pipeDelimited"}[separator]


def test_a_list_of_files_is_sent_as_one_part_per_file() -> None:
    files = {"name": "f", "in": "formData", "type": "array", "items": {"type": "file"}}
    document = swagger(
        {"/t": {"post": {"consumes": ["multipart/form-data"], "parameters": [files]}}}
    )

    entry = tool(document)
    assert arguments(entry) == []
    assert entry["inputSchema"]["properties"]["f"]["items"]["contentEncoding"] == "base64"


@pytest.mark.parametrize(
    ("location", "style"),
    [("query", "simple"), ("path", "form"), ("header", "matrix"), ("cookie", "deepObject")],
)
def test_a_style_that_is_invalid_for_its_location_is_reported(location: str, style: str) -> None:
    parameter = {"name": "q", "in": location, "style": style, "schema": STRINGS}
    path = "/t/{q}" if location == "path" else "/t"
    document = openapi(get(parameter, path=path))

    (note,) = imported(document).report.notes
    assert note.text.startswith(f"the {location} parameter q cannot have the style {style}")
    assert all("style" not in mapped for mapped in arguments(tool(document)))


def test_headers_whose_names_differ_only_in_case_are_one_argument() -> None:
    shared = {"name": "X-Id", "in": "header", "schema": {"type": "string"}}
    own = {"name": "x-id", "in": "header", "schema": {"type": "integer"}}
    path = {"/t": {"parameters": [shared], "get": {"parameters": [own]}}}

    assert tool(openapi(path))["inputSchema"]["properties"] == {"x-id": {"type": "integer"}}


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ({"in": "query"}, "a parameter in 'query' has no name, so it is left out"),
        (
            {"name": "q", "in": "formData"},
            "the parameter 'q' is in 'formData' and not in path, query",
        ),
        ({"name": "q"}, "the parameter 'q' is in '' and not in path, query, header or cookie"),
        ({"name": "q", "in": "path"}, "the path does not contain {q}, so the path parameter is"),
    ],
)
def test_a_parameter_without_a_valid_location_is_omitted_with_a_note(
    parameter: dict[str, Any], told: str
) -> None:
    document = openapi(get(parameter))

    (note,) = imported(document).report.notes
    assert note.text.startswith(told)
    assert "inputSchema" not in tool(document)


@pytest.mark.parametrize("name", ["日本", "a b", "a=b", "n" * 129])
def test_a_parameter_with_an_invalid_name_skips_the_tool_only_if_it_is_required(
    name: str,
) -> None:
    parameter: dict[str, Any] = {"name": name, "in": "query", "schema": {"type": "string"}}
    path = {"/t": {"get": {"parameters": [parameter]}, "head": {}}}

    (note,) = imported(openapi(path)).report.notes
    assert note.text.endswith("so it is left out")
    parameter["required"] = True
    ((label, reason),) = imported(openapi(path)).report.skipped
    assert label == "GET /t"
    assert reason.endswith(
        f"parameter {name!r} has a name that a tool cannot send, and it is required"
    )


@pytest.mark.parametrize(
    ("url", "path"),
    [("/a/../b", "/b"), ("/../a", "/a"), ("/a/./b/", "/a/b"), ("https://h/a/b/..", "/a")],
)
def test_dot_segments_in_the_path_of_a_server_are_resolved(url: str, path: str) -> None:
    assert tool(openapi({"/x": {"get": {}}}, servers=[{"url": url}]))["path"] == f"{path}/x"


def test_form_fields_beside_a_body_of_swagger_2_are_reported() -> None:
    body = {"name": "b", "in": "body", "schema": OBJECT}
    field = {"name": "f", "in": "formData", "type": "string"}
    outcome = imported(swagger({"/t": {"post": {"parameters": [body, field]}}}))

    (note,) = outcome.report.notes
    assert note.text.startswith("a request has either one body or the fields")
