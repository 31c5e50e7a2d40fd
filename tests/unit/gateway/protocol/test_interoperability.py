"""Requests of other MCP clients that deviate from the revisions, and their responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import ToolResult
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.older import older_result
from support.entries import argument, backend, prompt, resource, tool
from support.mcp_http import META, MODERN, Server, legacy, modern, post

OLDEST = "2024-11-05"
LATEST = "2025-11-25"
LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]


async def test_null_params_are_treated_as_absent() -> None:
    server = Server(tool("add"))
    session = await server.initialize()
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": None}

    result = await server.result(post(message, mcp_session_id=session))
    told = {"jsonrpc": "2.0", "method": "notifications/initialized", "params": None}
    answer = await server.respond(post(told, mcp_session_id=session))

    assert [each["name"] for each in result["tools"]] == ["add"]
    assert answer.status == 202


@pytest.mark.parametrize("cursor", [None, ""])
@pytest.mark.parametrize("method", LISTS)
async def test_an_empty_cursor_returns_the_first_page(method: str, cursor: object) -> None:
    server = Server(tool("add"), tool("sum"), prompt("Hi", name="greet"), page_size=1)
    session = await server.initialize()

    first = await server.result(modern(method))
    assert await server.result(modern(method, {"cursor": cursor})) == first
    older = await server.result(legacy(method, {"cursor": cursor}, mcp_session_id=session))
    assert older == await server.result(legacy(method, mcp_session_id=session))


@pytest.mark.parametrize(
    "broken",
    [
        {"jsonrpc": "1.0", "id": "mine", "method": "tools/list"},
        {"id": "mine", "method": "tools/list"},
        {"jsonrpc": "2.0", "id": "mine"},
        {"jsonrpc": "2.0", "id": "mine", "method": 7},
        {"jsonrpc": "2.0", "id": "mine", "method": "tools/list", "params": [1]},
        {"jsonrpc": "2.0", "id": "mine", "method": "tools/list", "params": {"_meta": META}},
    ],
)
@pytest.mark.parametrize("version", [MODERN, LATEST])
async def test_an_error_has_the_id_of_an_invalid_request(
    broken: dict[str, Any], version: str
) -> None:
    answer = await Server().respond(post(broken, mcp_protocol_version=version))

    assert answer.status == 400
    assert json.loads(answer.body)["id"] == "mine"


async def test_an_http_error_has_the_id_of_the_request() -> None:
    request = modern("tools/list", request_id=7, accept="text/html")

    answer = await Server().respond(request)

    assert (answer.status, json.loads(answer.body)["id"]) == (406, 7)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": "x" * 257, "method": "ping"},
        [1],
        {"jsonrpc": "2.0", "id": "theirs", "result": {}},
    ],
)
async def test_an_error_without_a_valid_request_id_has_a_null_id(body: object) -> None:
    answer = await Server().respond(post(body, mcp_protocol_version=MODERN))

    assert (answer.status, json.loads(answer.body)["id"]) == (400, None)


@pytest.mark.parametrize("header", [MODERN, "2099-01-01", "", LATEST])
async def test_initialize_succeeds_with_any_version_header(header: str) -> None:
    request = legacy("initialize", {"protocolVersion": LATEST}, mcp_protocol_version=header)

    assert (await Server().result(request))["protocolVersion"] == LATEST


async def test_an_empty_version_header_is_ignored() -> None:
    server = Server()
    session = await server.initialize()

    assert (
        await server.result(legacy("ping", mcp_session_id=session, mcp_protocol_version="")) == {}
    )


def doubled(session: str, versions: str) -> HttpRequest:
    """Return a ping with two version headers."""
    request = legacy("ping", mcp_session_id=session, mcp_protocol_version=versions)
    return HttpRequest("POST", request.headers, frozenset({"mcp-protocol-version"}), request.body)


async def test_equal_version_headers_are_accepted_and_different_ones_refused() -> None:
    server = Server()
    session = await server.initialize()

    assert await server.result(doubled(session, f"{LATEST}, {LATEST}")) == {}
    status, _ = await server.error(doubled(session, f"{LATEST}, 2025-06-18"))
    assert status == 400


async def test_several_accept_headers_are_combined() -> None:
    request = modern("tools/list", accept="text/event-stream, application/json")
    split = HttpRequest("POST", request.headers, frozenset({"accept"}), request.body)

    assert "tools" in await Server().result(split)


async def test_the_oldest_revision_gets_only_the_fields_that_it_defines() -> None:
    server = Server(
        tool(
            "add",
            title="Add",
            output_schema={"type": "object"},
            annotations={"readOnlyHint": True},
        ),
        prompt("{{a}}", name="greet", title="Greet", variables=[{"name": "a", "title": "A"}]),
        resource("readme", uri="file:///readme", title="Read me", text="x"),
        title="Shop",
    )
    server.executor.results["add"] = ToolResult(
        ({"type": "text", "text": "{}"},), structured={"a": 1}
    )
    answer = await server.respond(legacy("initialize", {"protocolVersion": OLDEST}))
    session = answer.headers["mcp-session-id"]
    greeting = json.loads(answer.body)["result"]

    assert greeting["protocolVersion"] == OLDEST
    assert greeting["capabilities"].keys() == {"tools", "prompts", "resources", "logging"}
    assert greeting["serverInfo"].keys() == {"name", "version"}
    listed = await server.result(legacy("tools/list", mcp_session_id=session))
    assert listed["tools"][0].keys() == {"name", "inputSchema"}
    listed = await server.result(legacy("prompts/list", mcp_session_id=session))
    assert listed["prompts"] == [{"name": "greet", "arguments": [{"name": "a", "required": False}]}]
    listed = await server.result(legacy("resources/list", mcp_session_id=session))
    assert listed["resources"] == [
        {"name": "readme", "uri": "file:///readme", "mimeType": "text/plain"}
    ]
    pinged = legacy("ping", mcp_session_id=session, mcp_protocol_version=OLDEST)
    assert await server.result(pinged) == {}
    called = await server.result(legacy("tools/call", {"name": "add"}, mcp_session_id=session))
    assert called == {"content": [{"type": "text", "text": "{}"}]}


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("2025-03-26", {"name", "inputSchema", "annotations"}),
        ("2025-06-18", {"name", "title", "inputSchema", "outputSchema", "annotations"}),
    ],
)
async def test_later_revisions_get_the_fields_that_they_define(
    version: str, fields: set[str]
) -> None:
    output = {"type": "object"}
    hints = {"readOnlyHint": True}
    server = Server(tool("add", title="Add", output_schema=output, annotations=hints))
    session = await server.initialize(version)

    listed = await server.result(legacy("tools/list", mcp_session_id=session))

    assert listed["tools"][0].keys() == fields


def test_content_blocks_that_an_older_revision_lacks_are_converted() -> None:
    audio = {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}
    link = {"type": "resource_link", "uri": "a:b", "name": "ab"}
    text = {"type": "text", "text": "x"}
    result = {"content": [audio, exact.encoded_members(audio), link, text]}

    contents = json.loads(exact.encode(older_result(result, OLDEST)))["content"]

    embedded = {"uri": "tool://result/audio", "blob": "AAAA", "mimeType": "audio/wav"}
    assert contents[:2] == [{"type": "resource", "resource": embedded}] * 2
    assert contents[2:] == [{"type": "text", "text": "Resource ab: a:b"}, text]
    message = {"role": "user", "content": audio}
    assert older_result({"messages": [message]}, "2025-03-26") == {"messages": [message]}
    assert older_result({"messages": [message]}, OLDEST)["messages"][0]["content"]["resource"]
    assert older_result(result, "2025-06-18") is result


async def test_a_uri_that_matches_a_template_completes_its_arguments() -> None:
    server = Server(
        resource("readme", uri="file:///readme", text="x"),
        resource(
            "order",
            uri_template="orders:///{id}",
            backend=backend("/{id}", argument("id", "path", enum=("17", "20"))),
        ),
    )

    async def completed(uri: str) -> Any:
        asked = {
            "ref": {"type": "ref/resource", "uri": uri},
            "argument": {"name": "id", "value": ""},
        }
        return (await server.result(modern("completion/complete", asked)))["completion"]["values"]

    assert await completed("orders:///1") == ["17", "20"]
    assert await completed("file:///readme") == []
