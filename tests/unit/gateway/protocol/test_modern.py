"""The 2026-07-28 revision, from request values to response values."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mcp_operator.gateway.contract import ResourceUnavailable, ToolResult
from mcp_operator.gateway.protocol.message import HttpRequest
from support.entries import argument, backend, prompt, resource, tool
from support.fake_executor import text_result
from support.mcp_http import META, MODERN, Server, modern, notification, post, table

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


async def test_discover_says_what_is_served() -> None:
    result = await Server(instructions="Be kind.").result(modern("server/discover"))

    assert result["supportedVersions"] == [MODERN]
    assert result["instructions"] == "Be kind."
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert result["capabilities"]["resources"] == {"listChanged": True, "subscribe": True}
    assert result["resultType"] == "complete"
    assert (result["ttlMs"], result["cacheScope"]) == (0, "public")
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "shop"


async def test_a_server_without_instructions_gives_none() -> None:
    assert "instructions" not in await Server().result(modern("server/discover"))


@pytest.mark.parametrize("request_id", [0, 7, "a", 'quote"d', "ünïcode", 2**60])
async def test_an_answer_carries_the_id_of_its_request(request_id: object) -> None:
    answer = await Server().respond(modern("tools/list", request_id=request_id))

    assert json.loads(answer.body)["id"] == request_id


async def test_a_tool_is_listed_with_everything_that_clients_read() -> None:
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


async def test_prompts_resources_and_templates_have_their_lists() -> None:
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


async def test_a_deleted_tool_leaves_the_list() -> None:
    server = Server(tool("a"), tool("b"))
    await server.result(modern("tools/list"))

    server.current.swap(table(tool("b")))

    result = await server.result(modern("tools/list"))
    assert [listed["name"] for listed in result["tools"]] == ["b"]


async def test_a_call_reaches_the_executor_and_its_result_the_client() -> None:
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


async def test_null_is_a_structured_result_like_any_other() -> None:
    server = Server(tool("none"))
    server.executor.results["none"] = ToolResult(content=(), structured=None)

    result = await server.result(modern("tools/call", {"name": "none"}))

    assert result["structuredContent"] is None


async def test_arguments_that_the_schema_refuses_are_a_result_and_call_nothing() -> None:
    server = Server(tool("add", input_schema=NUMBER))

    result = await server.result(modern("tools/call", {"name": "add", "arguments": {"n": "x"}}))

    assert result["isError"] is True
    assert "nothing was called" in result["content"][0]["text"]
    assert '"x"' in result["content"][0]["text"]
    assert server.executor.calls == []
    assert server.observer.tools == [("add", "tool_error")]


async def test_a_failed_call_is_a_result_that_says_so() -> None:
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
        ("tools/list", {"cursor": "x"}, "The cursor is not one that this list gave"),
        ("tools/list", {"cursor": 5}, "The cursor is not one that this list gave"),
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
async def test_wrong_parameters_are_32602(
    method: str, params: dict[str, Any], message: str
) -> None:
    server = Server(
        tool("add"), prompt("{{who}}", name="greet", variables=[{"name": "who", "required": True}])
    )

    status, error = await server.error(modern(method, params))

    assert (status, error["code"]) == (200, -32602)
    assert message in error["message"]


async def test_an_unknown_resource_is_32602_with_its_uri() -> None:
    status, error = await Server().error(modern("resources/read", {"uri": "test://x"}))

    assert (status, error["code"], error["data"]) == (200, -32602, {"uri": "test://x"})


async def test_a_resource_is_read_with_how_long_it_keeps() -> None:
    server = Server(resource("order", uri_template="orders:///{id}", backend=backend()))

    result = await server.result(modern("resources/read", {"uri": "orders:///7"}))

    assert result["contents"][0]["uri"] == "orders:///7"
    assert "'id': '7'" in result["contents"][0]["text"]
    assert (result["ttlMs"], result["cacheScope"]) == (0, "private")


async def test_a_resource_that_cannot_be_had_is_an_internal_error_with_a_sentence() -> None:
    server = Server(resource("readme", uri="file:///readme", backend=backend()))
    server.executor.results["file:///readme"] = ResourceUnavailable("the backend answered 500")

    status, error = await server.error(modern("resources/read", {"uri": "file:///readme"}))

    assert (status, error["code"], error["message"]) == (200, -32603, "the backend answered 500")


async def test_a_prompt_is_rendered_with_the_resources_it_embeds() -> None:
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


async def test_arguments_complete_from_what_the_catalog_allows() -> None:
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
        assert "names no prompt and no resource template" in error["message"]


@pytest.mark.parametrize("method", ["ping", "initialize", "logging/setLevel", "nonsense"])
async def test_an_unknown_method_is_404(method: str) -> None:
    server = Server()

    status, error = await server.error(modern(method, request_id="mine"))

    assert (status, error["code"]) == (404, -32601)
    known = method if method != "nonsense" else "other"
    assert server.observer.requests == [(known, "modern", "error")]


@pytest.mark.parametrize(
    "meta", [None, 5, {}, {VERSION_KEY: MODERN}, {CAPABILITIES_KEY: {}}, {**META, VERSION_KEY: 7}]
)
async def test_a_request_without_its_envelope_is_400(meta: object) -> None:
    params = {} if meta is None else {"_meta": meta}
    message = {"jsonrpc": "2.0", "id": 4, "method": "tools/list", "params": params}
    request = post(message, mcp_protocol_version=MODERN, mcp_method="tools/list")

    status, error = await Server().error(request)

    assert (status, error["code"]) == (400, -32602)


async def test_capabilities_that_are_no_object_are_400() -> None:
    request = modern("tools/list", {"_meta": {**META, CAPABILITIES_KEY: []}})

    status, error = await Server().error(request)

    assert (status, error["code"]) == (400, -32602)


@pytest.mark.parametrize(
    "request_",
    [
        modern("tools/list", mcp_method="tools/call"),
        modern("tools/list", mcp_protocol_version="2025-11-25"),
        modern("tools/list", mcp_protocol_version="V999"),
        modern("tools/call", {"name": "add"}, mcp_name="Add"),
        modern("resources/read", {"uri": "a:b"}, mcp_name=""),
        modern("prompts/get", {"name": "greet"}, mcp_name="=?base64?Z3JlZXQ?="),
        post(
            {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}},
            mcp_protocol_version=MODERN,
        ),
        post(
            {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}},
            mcp_method="tools/list",
        ),
    ],
)
async def test_headers_that_differ_from_the_body_are_32020(request_: HttpRequest) -> None:
    status, error = await Server(tool("add")).error(request_)

    assert (status, error["code"]) == (400, -32020)


async def test_a_name_may_come_wrapped_in_base64() -> None:
    server = Server(tool("add"))

    result = await server.result(modern("tools/call", {"name": "add"}, mcp_name="=?base64?YWRk?="))

    assert result["content"][0]["text"] == "add"


@pytest.mark.parametrize("name", ["mcp-method", "mcp-name", "mcp-protocol-version"])
async def test_a_repeated_routing_header_is_32020(name: str) -> None:
    request = modern("tools/call", {"name": "add"})
    doubled = HttpRequest("POST", request.headers, frozenset({name}), request.body)

    status, error = await Server(tool("add")).error(doubled)

    assert (status, error["code"]) == (400, -32020)
    assert name in error["message"]


async def test_a_version_that_is_not_served_is_32022_with_those_that_are() -> None:
    meta = {**META, VERSION_KEY: "2099-01-01"}
    request = modern("server/discover", {"_meta": meta}, mcp_protocol_version="2099-01-01")

    status, error = await Server().error(request)

    assert (status, error["code"]) == (400, -32022)
    assert error["data"] == {"supported": [MODERN], "requested": "2099-01-01"}


async def test_a_legacy_version_in_an_envelope_is_32022() -> None:
    meta = {**META, VERSION_KEY: "2025-11-25"}
    request = modern("server/discover", {"_meta": meta}, mcp_protocol_version="2025-11-25")

    status, error = await Server().error(request)

    assert (status, error["code"]) == (400, -32022)


async def test_a_notification_is_accepted_and_cancels_nothing() -> None:
    server = Server(tool("slow"))
    server.executor.gate.clear()
    call = asyncio.ensure_future(server.respond(modern("tools/call", {"name": "slow"})))
    await server.executor.started.wait()

    answer = await server.respond(
        notification("notifications/cancelled", {"requestId": 1}, mcp_protocol_version=MODERN)
    )

    assert (answer.status, answer.body) == (202, b"")
    server.executor.gate.set()
    assert json.loads((await call).body)["result"]["content"][0]["text"] == "slow"


async def test_a_notification_of_an_unserved_version_is_32022() -> None:
    status, error = await Server().error(notification("x", mcp_protocol_version="2099-01-01"))

    assert (status, error["code"]) == (400, -32022)


@pytest.mark.parametrize(
    "message",
    [
        [],
        [{"jsonrpc": "2.0", "id": 1, "method": "ping"}],
        5,
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": 5},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []},
    ],
)
async def test_what_is_no_single_request_is_32600(message: object) -> None:
    status, error = await Server().error(post(message, mcp_protocol_version=MODERN))

    assert (status, error["code"]) == (400, -32600)


async def test_a_client_that_disconnects_cancels_its_call() -> None:
    server = Server(tool("slow"))
    server.executor.gate.clear()
    call = asyncio.ensure_future(server.respond(modern("tools/call", {"name": "slow"})))
    await server.executor.started.wait()

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert server.executor.cancelled == ["slow"]
    assert server.endpoint.in_flight == 0
    assert server.observer.requests == [("tools/call", "modern", "cancelled")]
    assert server.observer.tools == [("slow", "cancelled")]


async def test_more_requests_than_allowed_are_told_to_come_back() -> None:
    server = Server(tool("slow"), max_concurrent_requests=1)
    server.executor.gate.clear()
    first = asyncio.ensure_future(server.respond(modern("tools/call", {"name": "slow"})))
    await server.executor.started.wait()

    answer = await server.respond(modern("tools/call", {"name": "slow"}, request_id="second"))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert json.loads(answer.body)["id"] == "second"
    assert not -32768 <= json.loads(answer.body)["error"]["code"] <= -32000
    assert server.observer.requests == [("tools/call", "modern", "rejected")]
    assert (await server.respond(modern("tools/list"))).status == 200
    server.executor.gate.set()
    assert (await first).status == 200
    await server.endpoint.idle()


async def test_a_bug_in_the_executor_says_nothing_about_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(tool("broken"))
    server.executor.results["broken"] = RuntimeError("secret detail")

    status, error = await server.error(modern("tools/call", {"name": "broken"}))

    assert (status, error) == (200, {"code": -32603, "message": "Internal error"})
    assert "A request failed unexpectedly" in caplog.text
    assert server.observer.tools == [("broken", "error")]


async def test_nothing_is_served_before_the_first_catalog() -> None:
    server = Server()
    server.current.table = None

    answer = await server.respond(modern("tools/list"))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_a_call_knows_its_deadline_its_headers_and_its_trace() -> None:
    own = tool("own", backend(timeout_seconds=3))
    server = Server(tool("add"), own, request_timeout_seconds=7)
    now = asyncio.get_running_loop().time()
    meta = {**META, "traceparent": "00-a-b-01", "tracestate": "x=y"}

    await server.result(modern("tools/call", {"name": "add", "_meta": meta}, traceparent="other"))
    await server.result(
        modern("tools/call", {"name": "own"}, traceparent="00-c-d-01", x_tenant="7")
    )

    first, second = server.executor.seen
    assert first.deadline == pytest.approx(now + 7, abs=0.5)
    assert first.trace == {"traceparent": "00-a-b-01", "tracestate": "x=y"}
    assert second.deadline == pytest.approx(now + 3, abs=0.5)
    assert second.trace == {"traceparent": "00-c-d-01"}
    assert second.headers["x-tenant"] == "7"


async def test_a_request_goes_on_with_the_table_it_began_with() -> None:
    server = Server(tool("slow", output_schema={"type": "object"}))
    server.executor.gate.clear()
    call = asyncio.ensure_future(server.respond(modern("tools/call", {"name": "slow"})))
    await server.executor.started.wait()

    server.current.swap(table())
    server.executor.gate.set()

    assert json.loads((await call).body)["result"]["content"][0]["text"] == "slow"
