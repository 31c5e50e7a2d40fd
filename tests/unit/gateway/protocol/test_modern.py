"""The 2026-07-28 revision, from request values to response values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.gateway.contract import ResourceUnavailable, ToolResult
from support.entries import argument, backend, prompt, resource, tool
from support.fake_executor import text_result
from support.mcp_http import MODERN, Server, modern, table

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


async def test_discover_returns_the_versions_capabilities_and_instructions() -> None:
    result = await Server(instructions="Be kind.").result(modern("server/discover"))

    assert result["supportedVersions"] == [MODERN]
    assert result["instructions"] == "Be kind."
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert result["capabilities"]["resources"] == {"listChanged": True, "subscribe": True}
    assert result["resultType"] == "complete"
    assert (result["ttlMs"], result["cacheScope"]) == (0, "public")
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "shop"


async def test_discover_omits_the_instructions_of_a_server_that_has_none() -> None:
    assert "instructions" not in await Server().result(modern("server/discover"))


@pytest.mark.parametrize("request_id", [0, 7, "a", 'quote"d', "ünïcode", 2**60])
async def test_a_response_has_the_id_of_its_request(request_id: object) -> None:
    answer = await Server().respond(modern("tools/list", request_id=request_id))

    assert json.loads(answer.body)["id"] == request_id


async def test_a_tool_is_listed_with_all_its_fields() -> None:
    annotated = tool(
        "add",
        title="Add",
        description="Adds.",
        input_schema=NUMBER,
        output_schema={"type": "array"},
        annotations={"readOnlyHint": True},
    )

    result = await Server(annotated).result(modern("tools/list"))

    assert result["tools"] == [
        {
            "name": "add",
            "title": "Add",
            "description": "Adds.",
            "inputSchema": NUMBER,
            "outputSchema": {"type": "array"},
            "annotations": {"readOnlyHint": True},
        }
    ]
    assert result["resultType"] == "complete"
    assert "nextCursor" not in result


async def test_prompts_resources_and_templates_are_listed() -> None:
    server = Server(
        prompt("Hi {{who}}", name="greet", variables=[{"name": "who", "required": True}]),
        resource("readme", uri="file:///readme", text="x", annotations={"priority": 1}),
        resource("order", uri_template="orders:///{id}", mime_type="", backend=backend()),
    )

    prompts = await server.result(modern("prompts/list"))
    resources = await server.result(modern("resources/list"))
    templates = await server.result(modern("resources/templates/list"))

    assert prompts["prompts"] == [
        {"name": "greet", "arguments": [{"name": "who", "required": True}]}
    ]
    assert resources["resources"] == [
        {
            "name": "readme",
            "uri": "file:///readme",
            "mimeType": "text/plain",
            "annotations": {"priority": 1},
        }
    ]
    assert templates["resourceTemplates"] == [{"name": "order", "uriTemplate": "orders:///{id}"}]


async def test_a_deleted_tool_is_removed_from_the_list() -> None:
    server = Server(tool("a"), tool("b"))
    await server.result(modern("tools/list"))

    server.current.swap(table(tool("b")))

    result = await server.result(modern("tools/list"))
    assert [listed["name"] for listed in result["tools"]] == ["b"]


async def test_a_call_passes_its_arguments_and_returns_the_result() -> None:
    server = Server(tool("add", input_schema=NUMBER))
    server.executor.results["add"] = ToolResult(
        content=({"type": "text", "text": "[1]"},), structured=[1]
    )

    result = await server.result(modern("tools/call", {"name": "add", "arguments": {"n": 1}}))

    assert server.executor.calls == [("add", {"n": 1})]
    assert result["content"] == [{"type": "text", "text": "[1]"}]
    assert result["structuredContent"] == [1]
    assert result["resultType"] == "complete"
    assert "isError" not in result


async def test_null_is_a_valid_structured_result() -> None:
    server = Server(tool("none"))
    server.executor.results["none"] = ToolResult(content=(), structured=None)

    result = await server.result(modern("tools/call", {"name": "none"}))

    assert result["structuredContent"] is None


async def test_invalid_arguments_return_an_error_result_and_call_nothing() -> None:
    server = Server(tool("add", input_schema=NUMBER))

    result = await server.result(modern("tools/call", {"name": "add", "arguments": {"n": "x"}}))

    assert result["isError"] is True
    assert "nothing was called" in result["content"][0]["text"]
    assert '"x"' in result["content"][0]["text"]
    assert server.executor.calls == []
    assert server.observer.tools == [("add", "invalid_arguments")]


async def test_a_failed_call_returns_an_error_result() -> None:
    server = Server(tool("add"))
    server.executor.results["add"] = text_result("the backend answered 500", is_error=True)

    result = await server.result(modern("tools/call", {"name": "add"}))

    assert result["isError"] is True
    assert server.observer.requests == [("tools/call", "modern", "tool_error")]


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("tools/call", {"name": "missing"}, "Unknown tool: missing"),
        ("tools/call", {"name": 5}, "`params.name` must be a string"),
        ("tools/call", {"name": "add", "arguments": []}, "`params.arguments` must be an object"),
        ("prompts/get", {"name": "missing"}, "Unknown prompt: missing"),
        ("prompts/get", {"name": "greet"}, "Prompt greet: the argument 'who' is required"),
        ("tools/list", {"cursor": "x"}, "The cursor is not valid for this list"),
        ("tools/list", {"cursor": 5}, "The cursor is not valid for this list"),
        ("resources/read", {}, "`params.uri` must be a string"),
        ("completion/complete", {}, "`params.ref` must be an object"),
        ("completion/complete", {"ref": {}, "argument": {"name": "a"}}, "`params.argument.value`"),
        ("subscriptions/listen", {}, "`params.notifications` must be an object"),
        (
            "subscriptions/listen",
            {"notifications": {"resourceSubscriptions": [1]}},
            "must be a list of URIs",
        ),
        (
            "subscriptions/listen",
            {"notifications": {"resourceSubscriptions": ["x"] * 1001}},
            "At most 1000 resources",
        ),
    ],
)
async def test_invalid_parameters_get_error_32602(
    method: str, params: dict[str, Any], message: str
) -> None:
    server = Server(
        tool("add"), prompt("{{who}}", name="greet", variables=[{"name": "who", "required": True}])
    )

    status, error = await server.error(modern(method, params))

    assert (status, error["code"]) == (200, -32602)
    assert message in error["message"]


async def test_an_unknown_resource_gets_error_32602_with_its_uri() -> None:
    status, error = await Server().error(modern("resources/read", {"uri": "test://x"}))

    assert (status, error["code"], error["data"]) == (200, -32602, {"uri": "test://x"})


async def test_a_resource_is_read_with_cache_hints() -> None:
    server = Server(resource("order", uri_template="orders:///{id}", backend=backend()))

    result = await server.result(modern("resources/read", {"uri": "orders:///7"}))

    assert result["contents"][0]["uri"] == "orders:///7"
    assert "'id': '7'" in result["contents"][0]["text"]
    assert (result["ttlMs"], result["cacheScope"]) == (0, "private")


async def test_an_unavailable_resource_gets_error_32603_with_the_reason() -> None:
    server = Server(resource("readme", uri="file:///readme", backend=backend()))
    server.executor.results["file:///readme"] = ResourceUnavailable("the backend answered 500")

    status, error = await server.error(modern("resources/read", {"uri": "file:///readme"}))

    assert (status, error["code"], error["message"]) == (200, -32603, "the backend answered 500")


async def test_a_prompt_is_rendered_with_its_embedded_resources() -> None:
    server = Server(
        prompt(
            name="review",
            description="Reviews.",
            variables=[{"name": "uri"}],
            messages=[{"resource_uri": "{{uri}}"}, {"role": "assistant", "text": "See {{uri}}"}],
        ),
        resource("readme", uri="file:///readme", text="Read me."),
    )

    result = await server.result(
        modern("prompts/get", {"name": "review", "arguments": {"uri": "file:///readme"}})
    )

    assert result["description"] == "Reviews."
    first, second = result["messages"]
    assert first["content"]["type"] == "resource"
    assert first["content"]["resource"]["text"] == "Read me."
    assert second == {
        "role": "assistant",
        "content": {"type": "text", "text": "See file:///readme"},
    }


async def test_arguments_are_completed_from_the_values_in_the_catalog() -> None:
    server = Server(
        prompt("{{city}}", name="trip", variables=[{"name": "city", "enum": ["Paris", "Rome"]}]),
        resource(
            "order",
            uri_template="orders:///{id}",
            backend=backend("/{id}", argument("id", "path", enum=("17", "18", "20"))),
        ),
    )
    ref = {"type": "ref/prompt", "name": "trip"}

    result = await server.result(
        modern("completion/complete", {"ref": ref, "argument": {"name": "city", "value": "p"}})
    )
    assert result["completion"] == {"values": ["Paris"], "total": 1, "hasMore": False}

    template = {"type": "ref/resource", "uri": "orders:///{id}"}
    result = await server.result(
        modern("completion/complete", {"ref": template, "argument": {"name": "id", "value": "1"}})
    )
    assert result["completion"]["values"] == ["17", "18"]

    status, error = await server.error(
        modern("completion/complete", {"ref": ref, "argument": {"name": "x", "value": ""}})
    )
    assert (status, error["code"]) == (200, -32602)

    for unknown in (
        {"type": "ref/prompt", "name": "missing"},
        {"type": "ref/resource", "uri": "missing:///{id}"},
        {"type": "ref/other"},
    ):
        _, error = await server.error(
            modern("completion/complete", {"ref": unknown, "argument": {"name": "id", "value": ""}})
        )
        assert "is neither a prompt nor a resource" in error["message"]
