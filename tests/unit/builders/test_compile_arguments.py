"""The places of the arguments of a tool in a request, as the gateway gets them."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import Argument, Header
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compile_tool import compile_tool
from support.compiled import TO_ORDERS, facts, tool
from support.compiled_tools import INPUT, entry, finding, places


@pytest.mark.parametrize(
    ("method", "content_type", "rest"),
    [
        ("GET", "application/json", "query"),
        ("DELETE", "application/json", "query"),
        ("POST", "application/json", "body"),
        ("POST", "application/merge-patch+json", "body"),
        ("POST", "application/x-www-form-urlencoded", "body"),
        ("POST", "text/plain", None),
    ],
)
def test_additional_arguments_go_to_the_query_or_the_body_depending_on_the_method(
    method: str, content_type: str, rest: str | None
) -> None:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    compiled = entry(method=method, inputSchema=schema, request={"contentType": content_type})
    assert compiled.backend.rest == rest


@pytest.mark.parametrize(
    ("schema", "rest"),
    [
        (None, None),
        ({}, None),
        ({"properties": {"a": {}}}, None),
        ({"additionalProperties": False}, None),
        ({"additionalProperties": True}, "body"),
        ({"additionalProperties": {}}, "body"),
        ({"patternProperties": {"^x-": {}}}, "body"),
        ({"unevaluatedProperties": True}, "body"),
        ({"allOf": [{"additionalProperties": {"type": "string"}}]}, "body"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"additionalProperties": True}}}, "body"),
    ],
)
def test_additional_arguments_are_sent_only_if_the_schema_allows_them(
    schema: dict[str, Any] | None, rest: str | None
) -> None:
    given_ = {} if schema is None else {"inputSchema": {"type": "object", **schema}}
    assert entry(**given_).backend.rest == rest


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"properties": {"a": {}}}]},
        {"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
        {"oneOf": [{"$ref": "#/$defs/x"}], "$defs": {"x": {"properties": {"a": {}}}}},
        {"if": {"required": ["a"]}, "then": {"properties": {"b": {}}}},
        {"required": ["a"]},
    ],
)
def test_a_property_that_any_part_of_the_schema_names_is_an_argument(
    schema: dict[str, Any],
) -> None:
    assert "a" in places(entry(inputSchema={"type": "object", **schema}))


FILE = {"type": "object", "properties": {"file": {"contentEncoding": "base64"}, "id": {}}}


def test_all_fields_of_an_argument_reach_the_gateway() -> None:
    mapping = {
        "name": "file",
        "in": "body",
        "as": "f",
        "style": "deepObject",
        "explode": True,
        "allowReserved": True,
        "contentType": "image/png",
        "fileName": "a.png",
        "fileNameFrom": "id",
    }
    only = entry(
        inputSchema=FILE, request={"arguments": [mapping], "contentType": "multipart/form-data"}
    )
    assert only.backend.arguments[0] == Argument(
        name="file",
        location="body",
        target="f",
        style="deepObject",
        explode=True,
        allow_reserved=True,
        base64=True,
        content_type="image/png",
        file_name="a.png",
        file_name_from="id",
    )


@pytest.mark.parametrize(
    ("schema", "kind", "base64"),
    [
        ({"contentEncoding": "base64"}, "application/octet-stream", True),
        ({"format": "byte"}, "multipart/form-data", True),
        ({"format": "binary"}, "multipart/form-data", True),
        ({"type": "array", "items": {"contentEncoding": "base64"}}, "multipart/form-data", True),
        ({"contentEncoding": "base64"}, "application/json", False),
        ({"contentEncoding": "base64"}, "application/x-www-form-urlencoded", False),
        ({"type": "string"}, "application/octet-stream", False),
    ],
)
def test_an_argument_is_decoded_from_base64_if_the_body_holds_bytes(
    schema: dict[str, Any], kind: str, *, base64: bool
) -> None:
    only = entry(
        inputSchema={"type": "object", "properties": {"file": schema}},
        request={"contentType": kind},
    )
    assert only.backend.arguments[0].base64 is base64


def test_with_one_argument_as_the_body_the_others_go_to_the_query() -> None:
    only = entry(inputSchema=INPUT, request={"body": {"from": "id"}})
    assert places(only) == {"id": ("body", "id"), "limit": ("query", "limit")}
    assert only.backend.body_from == "id"


def test_without_a_schema_the_argument_that_is_the_body_is_declared() -> None:
    only = entry(request={"body": {"from": "items"}})
    assert only.input_schema["properties"] == {"items": {}}


def test_constants_reach_the_gateway() -> None:
    only = entry(
        request={"body": {"constants": {"v": [1]}}, "query": [{"name": "k", "value": "&"}]}
    )
    assert only.backend.constants == {"v": [1]}
    assert only.backend.query == (Header(name="k", value="&"),)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"body": {"from": "other"}}, "makes 'other' the whole body"),
        (
            {"body": {"from": "id"}, "arguments": [{"name": "limit", "in": "body"}]},
            "but the body gets id, limit: declare 'id' in inputSchema",
        ),
        ({"body": {"from": "id"}, "contentType": "multipart/form-data"}, "a part for each"),
        ({"body": {"constants": {"a": 1}}, "contentType": "text/plain"}, "so the body is one"),
        ({"body": {"constants": {"limit": 1}}}, "constants sets limit"),
        ({"query": [{"name": "id", "value": "1"}], "arguments": [{"name": "id", "in": "query"}]},
         "request.query sets id"),
        ({"arguments": [{"name": "id", "in": "body", "style": "form"}]}, "has no effect in"),
        ({"arguments": [{"name": "id", "in": "body", "fileName": "a"}]}, "only parts have"),
        ({"arguments": [{"name": "id", "in": "body", "fileNameFrom": "limit"}]}, "only parts have"),
        (
            {
                "arguments": [{"name": "id", "in": "body", "fileNameFrom": "id"}],
                "contentType": "multipart/form-data",
            },
            "sets fileNameFrom of 'id' to itself",
        ),
        (
            {
                "arguments": [{"name": "id", "in": "body", "explode": True}],
                "contentType": "multipart/form-data",
            },
            "without style, which has no effect",
        ),
    ],
)  # fmt: skip
def test_a_request_with_a_body_that_cannot_be_built_is_invalid(
    request_: dict[str, Any], message: str
) -> None:
    found = finding(inputSchema=INPUT, request=request_)
    assert found.reason is Reason.INVALID
    assert message in found.message


def test_a_path_placeholder_with_a_plus_takes_the_argument_of_that_name() -> None:
    only = entry(service=TO_ORDERS | {"path": "/v2/{+name}/tags"}, method="GET")
    assert places(only) == {"name": ("path", "name")}


@pytest.mark.parametrize(
    ("location", "first", "second"),
    [
        ("query", "q", "q"),
        ("header", "X-Tenant", "x-tenant"),
        ("cookie", "s", "s"),
        ("body", "q", "q"),
    ],
)
def test_two_arguments_with_the_same_target_are_invalid(
    location: str, first: str, second: str
) -> None:
    both = [("id", first), ("limit", second)]
    mappings = [{"name": name, "in": location, "as": target} for name, target in both]
    found = finding(inputSchema=INPUT, request={"arguments": mappings})
    assert found.reason is Reason.INVALID
    assert f"sends both 'id' and 'limit' as {second} in: {location}" in found.message
    other = [mappings[0], mappings[1] | {"as": "other"}]
    assert places(entry(inputSchema=INPUT, request={"arguments": other})).keys() == {"id", "limit"}


@pytest.mark.parametrize("header", ["Authorization", "cookie", "Content-Type"])
def test_an_argument_that_sets_a_guarded_header_is_invalid(header: str) -> None:
    mapped = {"arguments": [{"name": "id", "in": "header", "as": header}]}
    found = finding(inputSchema=INPUT, request=mapped)
    assert found.reason is Reason.INVALID
    assert header in found.message


def test_a_plain_text_body_takes_exactly_one_argument() -> None:
    found = finding(inputSchema=INPUT, request={"contentType": "text/plain"})
    assert found.reason is Reason.INVALID
    assert "id, limit" in found.message
    one = {"contentType": "text/plain", "arguments": [{"name": "limit", "in": "query"}]}
    assert places(entry(inputSchema=INPUT, request=one))["id"] == ("body", "id")


UPLOAD = {"contentType": "multipart/form-data"}
NAMED = {"name": "file", "in": "body", "fileNameFrom": "name"}


@pytest.mark.parametrize(
    ("path", "more", "sent"),
    [
        ("/files", [], {"file"}),
        ("/files/{name}", [], {"file", "name"}),
        ("/files", [{"name": "name", "in": "body", "as": "title"}], {"file", "name"}),
        ("/files", [{"name": "name", "in": "query"}], {"file", "name"}),
    ],
)
def test_the_argument_with_a_file_name_is_sent_only_where_it_is_mapped(
    path: str, more: list[Any], sent: set[str]
) -> None:
    schema = {"type": "object", "properties": {"file": {}, "name": {}}}
    only = entry(
        service=TO_ORDERS | {"path": path},
        inputSchema=schema,
        request=UPLOAD | {"arguments": [NAMED, *more]},
    )
    assert places(only).keys() == sent


def test_without_a_schema_the_argument_with_a_file_name_is_declared() -> None:
    only = entry(request=UPLOAD | {"arguments": [NAMED]})
    assert only.input_schema["properties"] == {
        "file": {"type": "string"},
        "name": {"type": "string"},
    }


def test_the_argument_with_a_file_name_must_be_declared() -> None:
    schema = {"type": "object", "properties": {"file": {}}}
    found = finding(inputSchema=schema, request=UPLOAD | {"arguments": [NAMED]})
    assert found.reason is Reason.UNDECLARED_ARGUMENT
    assert "names 'name' in fileNameFrom of 'file', which inputSchema" in found.message


@pytest.mark.parametrize(
    ("kind", "name", "value", "refused"),
    [
        ("multipart/form-data", "Content-Type", "multipart/form-data", True),
        ("multipart/form-data", "content-type", "application/json", True),
        ("application/json", "Content-Type", "Multipart/Form-Data", True),
        ("text/plain", "CONTENT-TYPE", "multipart/mixed; charset=utf-8", True),
        ("text/plain", "Content-Type", "multipart/mixed; boundary=x", False),
        ("text/plain", "Content-Type", "application/json", False),
        ("multipart/form-data", "X-Type", "multipart/form-data", False),
    ],
)
def test_a_fixed_content_type_without_the_boundary_of_a_multipart_body_is_invalid(
    kind: str, name: str, value: str, *, refused: bool
) -> None:
    given = {"contentType": kind, "headers": [{"name": name, "value": value}]}
    schema = {"type": "object", "properties": {"a": {}}}
    if refused:
        found = finding(inputSchema=schema, request=given)
        assert found.message.startswith(f"request.headers sets {name} without the boundary")
    else:
        assert entry(inputSchema=schema, request=given).backend.headers[0].value == value


@pytest.mark.parametrize("header", ["Authorization", "cookie", "COOKIE2"])
def test_credentials_of_a_client_are_forwarded_only_if_that_is_allowed(
    header: str,
) -> None:
    forward = {"forwardHeaders": ["X-Tenant", header]}
    refused = finding(request=forward)
    assert refused.reason is Reason.INVALID
    assert f"names {header}" in refused.message
    assert "allowCredentialForwarding: true" in refused.message
    allowed = entry(request=forward | {"allowCredentialForwarding": True})
    assert allowed.backend.forward_headers == ("x-tenant", header.lower())


def test_a_header_that_the_gateway_sets_cannot_be_forwarded_from_a_client() -> None:
    refused = finding(request={"forwardHeaders": ["MCP-Request-State"]})
    assert refused.reason is Reason.INVALID
    assert "names MCP-Request-State, which the gateway itself sets: remove it" in refused.message


def test_an_entry_can_disable_the_forwarding_that_its_object_allows() -> None:
    common = {"forwardHeaders": ["Authorization"], "allowCredentialForwarding": True}
    own = {"name": "b", "path": "/b", "request": {"allowCredentialForwarding": False}}
    found = compile_tool(tool(request=common, tools=[{"name": "a", "path": "/a"}, own]), facts())
    assert [one.name for one in found.entries] == ["a"]
    [refused] = found.findings
    assert refused.message.startswith("tools[b]: request.forwardHeaders names Authorization")
