"""How the 2026-07-28 revision refuses, ends and limits requests."""

from __future__ import annotations

import asyncio
import json

import pytest

from mcp_operator.gateway.protocol.message import HttpRequest
from support.entries import backend, tool
from support.mcp_http import META, MODERN, Server, modern, notification, post, table

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize("method", ["ping", "initialize", "logging/setLevel", "nonsense"])
async def test_an_unknown_method_gets_404(method: str) -> None:
    server = Server()

    status, error = await server.error(modern(method, request_id="mine"))

    assert (status, error["code"]) == (404, -32601)
    known = method if method != "nonsense" else "other"
    assert server.observer.requests == [(known, "modern", "error")]


@pytest.mark.parametrize(
    "meta", [None, 5, {}, {VERSION_KEY: MODERN}, {CAPABILITIES_KEY: {}}, {**META, VERSION_KEY: 7}]
)
async def test_a_request_without_valid_metadata_gets_400(meta: object) -> None:
    params = {} if meta is None else {"_meta": meta}
    message = {"jsonrpc": "2.0", "id": 4, "method": "tools/list", "params": params}
    request = post(message, mcp_protocol_version=MODERN, mcp_method="tools/list")

    status, error = await Server().error(request)

    assert (status, error["code"]) == (400, -32602)


async def test_capabilities_that_are_not_an_object_get_400() -> None:
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
async def test_headers_that_differ_from_the_body_get_error_32020(request_: HttpRequest) -> None:
    status, error = await Server(tool("add")).error(request_)

    assert (status, error["code"]) == (400, -32020)


async def test_a_base64_encoded_name_header_is_accepted() -> None:
    server = Server(tool("add"))

    result = await server.result(modern("tools/call", {"name": "add"}, mcp_name="=?base64?YWRk?="))

    assert result["content"][0]["text"] == "add"


@pytest.mark.parametrize("name", ["mcp-method", "mcp-name", "mcp-protocol-version"])
async def test_a_repeated_routing_header_gets_error_32020(name: str) -> None:
    request = modern("tools/call", {"name": "add"})
    doubled = HttpRequest("POST", request.headers, frozenset({name}), request.body)

    status, error = await Server(tool("add")).error(doubled)

    assert (status, error["code"]) == (400, -32020)
    assert name in error["message"]


async def test_an_unsupported_version_gets_error_32022_with_the_supported_ones() -> None:
    meta = {**META, VERSION_KEY: "2099-01-01"}
    request = modern("server/discover", {"_meta": meta}, mcp_protocol_version="2099-01-01")

    status, error = await Server().error(request)

    assert (status, error["code"]) == (400, -32022)
    assert error["data"] == {"supported": [MODERN], "requested": "2099-01-01"}


async def test_a_legacy_version_in_modern_metadata_gets_error_32022() -> None:
    meta = {**META, VERSION_KEY: "2025-11-25"}
    request = modern("server/discover", {"_meta": meta}, mcp_protocol_version="2025-11-25")

    status, error = await Server().error(request)

    assert (status, error["code"]) == (400, -32022)


async def test_a_cancel_notification_gets_202_and_cancels_nothing() -> None:
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


async def test_a_notification_of_an_unsupported_version_gets_error_32022() -> None:
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
async def test_a_body_that_is_not_a_single_valid_request_gets_error_32600(message: object) -> None:
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


async def test_a_request_over_the_concurrency_limit_gets_503_with_retry_after() -> None:
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


async def test_an_unexpected_error_of_the_executor_is_neither_returned_nor_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(tool("broken"))
    server.executor.results["broken"] = RuntimeError("secret detail")

    status, error = await server.error(modern("tools/call", {"name": "broken"}))

    assert (status, error) == (200, {"code": -32603, "message": "Internal error"})
    assert "A request failed unexpectedly" in caplog.text
    assert "RuntimeError" in caplog.records[-1].error  # type: ignore[attr-defined]
    assert "secret detail" not in caplog.text + str(vars(caplog.records[-1]))
    assert server.observer.tools == [("broken", "error")]


async def test_requests_before_the_first_catalog_get_503() -> None:
    server = Server()
    server.current.table = None

    answer = await server.respond(modern("tools/list"))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.looptime
async def test_a_call_contains_its_deadline_headers_and_trace() -> None:
    own = tool("own", backend(timeout_seconds=3))
    server = Server(tool("add"), own, request_timeout_seconds=7)
    now = asyncio.get_running_loop().time()
    meta = {**META, "traceparent": "00-a-b-01", "tracestate": "x=y"}

    await server.result(modern("tools/call", {"name": "add", "_meta": meta}, traceparent="other"))
    await server.result(
        modern("tools/call", {"name": "own"}, traceparent="00-c-d-01", x_tenant="7")
    )

    first, second = server.executor.seen
    assert first.deadline == pytest.approx(now + 7)
    assert first.trace == {"traceparent": "00-a-b-01", "tracestate": "x=y"}
    assert second.deadline == pytest.approx(now + 3)
    assert second.trace == {"traceparent": "00-c-d-01"}
    assert second.headers["x-tenant"] == "7"


async def test_a_call_in_progress_keeps_the_table_it_started_with() -> None:
    server = Server(tool("slow", output_schema={"type": "object"}))
    server.executor.gate.clear()
    call = asyncio.ensure_future(server.respond(modern("tools/call", {"name": "slow"})))
    await server.executor.started.wait()

    server.current.swap(table())
    server.executor.gate.set()

    assert json.loads((await call).body)["result"]["content"][0]["text"] == "slow"


@pytest.mark.parametrize("request_id", ["x" * 257, 2**256, -(2**256)])
async def test_a_request_id_that_is_too_long_is_refused(request_id: object) -> None:
    status, error = await Server().error(modern("tools/list", request_id=request_id))

    assert (status, error["code"]) == (400, -32600)
    assert "256" in error["message"]


async def test_a_version_header_that_is_not_valid_text_gets_error_32022() -> None:
    request = notification("notifications/x", mcp_protocol_version="2027\udcff")

    status, error = await Server().error(request)

    assert (status, error["code"]) == (400, -32022)
    assert error["data"]["requested"] == "2027?"
