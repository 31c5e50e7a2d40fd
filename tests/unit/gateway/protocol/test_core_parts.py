"""The parts of the core by themselves: cursors, schemas, parameter headers, descriptions."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mcp_operator.api.catalog import ServerSettings
from mcp_operator.gateway.policy.principal import ANONYMOUS
from mcp_operator.gateway.protocol import describe
from mcp_operator.gateway.protocol.envelope import decode_value, header_rules
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.listing import Listing
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.spec import Era
from support.entries import tool
from support.mcp_http import Server, modern, table


def listing(*names: str, page_size: int = 2, field: str = "tools") -> Listing:
    entries = [(name, {"name": name}) for name in names]
    return Listing(field, entries, page_size=page_size, extra={"ttlMs": 0})


def page(source: Listing, cursor: object = None) -> tuple[list[str], str | None]:
    decoded = json.loads(source.page(cursor))
    assert decoded["ttlMs"] == 0
    return [item["name"] for item in decoded["tools"]], decoded.get("nextCursor")


def test_each_cursor_returns_the_next_page_until_the_end() -> None:
    source = listing("e", "b", "a", "d", "c")

    first, cursor = page(source)
    second, cursor = page(source, cursor)
    third, end = page(source, cursor)

    assert (first, second, third, end) == (["a", "b"], ["c", "d"], ["e"], None)


def test_an_empty_list_has_one_empty_page() -> None:
    assert page(listing()) == ([], None)


def test_a_full_last_page_has_no_cursor() -> None:
    assert page(listing("a", "b")) == (["a", "b"], None)


def test_a_cursor_stays_valid_after_the_list_changes() -> None:
    _, cursor = page(listing("a", "b", "c", "d"))

    grown = page(listing("a", "aa", "b", "c", "d", "e"), cursor)
    shrunk = page(listing("a", "d"), cursor)
    emptied = page(listing("a"), cursor)

    assert grown[0] == ["c", "d"]
    assert shrunk == (["d"], None)
    assert emptied == ([], None)


def test_a_page_without_additional_fields_contains_only_the_entries() -> None:
    assert Listing("tools", [], page_size=5, extra={}).page() == b'{"tools":[]}'


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = json.loads(listing("a", "b", "c", field="prompts").page())["nextCursor"]

    with pytest.raises(RpcError, match="start again without a cursor"):
        listing("a").page(cursor)


@pytest.mark.parametrize("cursor", ["x", "é", "dG9vbHM", 5, True, {}, base64.b64encode(b"\xff")])
def test_an_invalid_cursor_is_refused(cursor: object) -> None:
    with pytest.raises(RpcError, match="not valid for this list"):
        listing("a").page(cursor)


async def test_a_client_can_list_all_tools_page_by_page() -> None:
    server = Server(*(tool(f"t{number}") for number in range(5)), page_size=2)

    names, cursor = [], None
    while True:
        result = await server.result(modern("tools/list", {"cursor": cursor} if cursor else {}))
        names += [listed["name"] for listed in result["tools"]]
        assert result["cacheScope"] == "public"
        cursor = result.get("nextCursor")
        if cursor is None:
            break

    assert names == ["t0", "t1", "t2", "t3", "t4"]


def output_schema_for_legacy(schema: dict[str, Any]) -> Any:
    return describe.tool(tool("t", output_schema=schema), "2025-11-25").get("outputSchema")


def test_an_object_schema_is_not_changed_for_legacy_clients() -> None:
    schema = {"type": "object", "properties": {"n": {"$ref": "#"}}}

    assert output_schema_for_legacy(schema) == schema


def test_a_schema_of_another_type_is_wrapped_for_legacy_clients() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"region": {"type": "string"}},
        "type": "array",
        "items": {"$ref": "#/$defs/region"},
    }

    assert output_schema_for_legacy(schema) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"region": {"type": "string"}},
        "type": "object",
        "properties": {"result": {"type": "array", "items": {"$ref": "#/$defs/region"}}},
        "required": ["result"],
    }


def test_a_schema_that_refers_to_its_root_is_omitted_for_legacy_clients() -> None:
    schema = {"type": ["array", "null"], "items": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}

    assert output_schema_for_legacy(schema) is None
    modern_tool = describe.tool(tool("t", output_schema=schema), "2026-07-28")
    assert modern_tool["outputSchema"] == schema


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (None, None),
        ("", ""),
        ("plain", "plain"),
        ("=?base64?w6k=?=", "é"),
        ("=?base64??=", ""),
        ("=?base64?w6l=?=", None),
        ("=?base64?@@?=", None),
        ("=?base64?/w==?=", None),
        ("=?base64?é?=", None),
        ("=?BASE64?w6k=?=", "=?BASE64?w6k=?="),
    ],
)
def test_base64_encoded_header_values_are_decoded_strictly(
    raw: str | None, decoded: str | None
) -> None:
    assert decode_value(raw) == decoded


HEADER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "dry": {"type": "boolean", "x-mcp-header": "Dry"},
        "nested": {
            "type": "object",
            "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}},
        },
        "free": {"type": "string"},
    },
}


def test_only_valid_header_annotations_create_rules() -> None:
    schema = {
        "properties": {
            "good": {"type": "string", "x-mcp-header": "Good"},
            "number": {"type": "number", "x-mcp-header": "Number"},
            "space": {"type": "string", "x-mcp-header": "a b"},
            "list": {"type": "string", "x-mcp-header": ["x"]},
            "broken": True,
        },
        "items": {"properties": {"x": {"type": "string", "x-mcp-header": "X"}}},
    }

    assert [rule.name for rule in header_rules(schema)] == ["mcp-param-good"]
    assert header_rules({"properties": []}) == ()


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({}, {}),
        ({"region": None}, {}),
        ({"region": "eu"}, {"region": "eu"}),
        ({"region": "é"}, {"region": "=?base64?w6k=?="}),
        ({"count": 42}, {"count": "42"}),
        ({"count": 42.0}, {"count": "42"}),
        ({"count": 42}, {"count": "42.0"}),
        ({"count": -(10**30)}, {"count": "-1" + "0" * 30}),
        ({"dry": True}, {"dry": "true"}),
        ({"dry": False}, {"dry": "false"}),
        ({"nested": {"zone": "a"}}, {"zone": "a"}),
        ({"free": "x"}, {}),
    ],
)
async def test_parameter_headers_that_match_the_arguments_are_accepted(
    arguments: dict[str, Any], headers: dict[str, str]
) -> None:
    server = Server(tool("t", input_schema=HEADER_SCHEMA))
    given = {f"mcp_param_{name}": value for name, value in headers.items()}

    answer = await server.respond(
        modern("tools/call", {"name": "t", "arguments": arguments}, **given)
    )

    assert answer.status == 200


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({"region": "eu"}, {}),
        ({}, {"region": "eu"}),
        ({"region": "eu"}, {"region": "EU"}),
        ({"region": "eu"}, {"region": "=?base64?ZX?="}),
        ({"region": ["eu"]}, {"region": "eu"}),
        ({"count": 42}, {"count": "4.2e1"}),
        ({"count": 42}, {"count": "43"}),
        ({"count": 42}, {"count": "9" * 5000}),
        ({"count": "x"}, {"count": "5"}),
        ({"count": 1.5}, {"count": "1"}),
        ({"dry": True}, {"dry": "True"}),
        ({"nested": "x"}, {"zone": "x"}),
    ],
)
async def test_parameter_headers_that_differ_from_the_arguments_get_error_32020(
    arguments: dict[str, Any], headers: dict[str, str]
) -> None:
    server = Server(tool("t", input_schema=HEADER_SCHEMA))
    given = {f"mcp_param_{name}": value for name, value in headers.items()}

    status, error = await server.error(
        modern("tools/call", {"name": "t", "arguments": arguments}, **given)
    )

    assert (status, error["code"]) == (400, -32020)
    assert server.executor.calls == []


async def test_a_repeated_parameter_header_gets_error_32020() -> None:
    server = Server(tool("t", input_schema=HEADER_SCHEMA))
    request = modern(
        "tools/call", {"name": "t", "arguments": {"region": "eu"}}, mcp_param_region="eu"
    )
    doubled = HttpRequest("POST", request.headers, frozenset({"mcp-param-region"}), request.body)

    assert (await server.error(doubled))[1]["code"] == -32020


def test_views_are_built_once_per_table() -> None:
    server = Server(tool("t"))
    core = server.endpoint._core

    view = core.view(Era.MODERN, ANONYMOUS)
    assert core.view(Era.MODERN, ANONYMOUS) is view
    server.current.swap(table(tool("t")))
    assert core.view(Era.MODERN, ANONYMOUS) is not view


@pytest.mark.parametrize(
    ("revision", "fields"),
    [
        ("2025-03-26", {"name", "version"}),
        ("2025-06-18", {"name", "version", "title"}),
        ("2025-11-25", {"name", "version", "title", "websiteUrl", "icons"}),
        ("2026-07-28", {"name", "version", "title", "websiteUrl", "icons"}),
    ],
)
def test_server_info_has_only_the_fields_that_the_revision_defines(
    revision: str, fields: set[str]
) -> None:
    icon = {"src": "https://shop.example/i.png"}
    settings = ServerSettings(
        namespace="demo",
        name="shop",
        title="The shop",
        version="7",
        website_url="https://shop.example",
        icons=(icon,),
    )
    described = describe.server(settings, "1.2.3", revision)
    assert described.keys() == fields
    assert described["version"] == "7"
    plain = ServerSettings(namespace="demo", name="shop")
    assert describe.server(plain, "1.2.3") == {"name": "shop", "version": "1.2.3"}
