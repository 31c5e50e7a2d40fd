"""The revisions with sessions, from request values to response values."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import ToolResult
from mcp_operator.gateway.protocol import legacy as legacy_module
from mcp_operator.gateway.protocol.message import HttpRequest
from support.entries import backend, prompt, resource, tool
from support.mcp_http import JSON_HEADERS, Server, legacy, notification, post
from support.waiting import hang_guard

LATEST = "2025-11-25"
VERSIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]


def get(session: str, **headers: str) -> HttpRequest:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("GET", JSON_HEADERS | {"mcp-session-id": session} | given)


def delete(session: str) -> HttpRequest:
    return HttpRequest("DELETE", JSON_HEADERS | {"mcp-session-id": session})


@pytest.mark.parametrize("version", VERSIONS)
async def test_initialize_with_a_supported_version_returns_that_version(version: str) -> None:
    server = Server(instructions="Be kind.")

    result = await server.result(legacy("initialize", {"protocolVersion": version}))

    assert result["protocolVersion"] == version
    assert result["serverInfo"]["name"] == "shop"
    assert result["instructions"] == "Be kind."
    assert result["capabilities"]["logging"] == {}
    assert result["capabilities"]["resources"] == {"listChanged": True, "subscribe": True}


@pytest.mark.parametrize("version", ["2024-10-07", "2026-07-28", "nonsense"])
async def test_initialize_with_an_unsupported_version_returns_the_latest(version: str) -> None:
    result = await Server().result(legacy("initialize", {"protocolVersion": version}))

    assert result["protocolVersion"] == LATEST


async def test_initialize_without_a_version_gets_error_32602() -> None:
    status, error = await Server().error(legacy("initialize"))

    assert (status, error["code"]) == (200, -32602)


async def test_a_session_can_list_call_and_ping() -> None:
    server = Server(tool("add"), prompt("Hello", name="greet"))
    session = await server.initialize()

    listed = await server.result(legacy("tools/list", mcp_session_id=session))
    called = await server.result(legacy("tools/call", {"name": "add"}, mcp_session_id=session))
    pinged = await server.result(legacy("ping", mcp_session_id=session))

    schema = {"type": "object", "properties": {}}
    assert listed == {"tools": [{"name": "add", "inputSchema": schema}]}
    assert called == {"content": [{"type": "text", "text": "add"}]}
    assert pinged == {}
    assert ("tools/call", "legacy", "ok") in server.observer.requests


async def test_a_session_of_another_server_gets_404() -> None:
    session = await Server(uid="other").initialize()

    status, _ = await Server().error(legacy("ping", mcp_session_id=session))

    assert status == 404


async def test_a_server_without_a_uid_accepts_only_its_own_sessions() -> None:
    server = Server(uid="")
    session = await server.initialize()

    assert await server.result(legacy("ping", mcp_session_id=session)) == {}
    status, _ = await Server(uid="").error(legacy("ping", mcp_session_id=session))
    assert status == 404


async def test_a_request_without_a_session_gets_400() -> None:
    status, error = await Server().error(legacy("tools/list", request_id="mine"))

    assert status == 400
    assert "initialize" in error["message"]


async def test_two_session_headers_get_400() -> None:
    server = Server()
    request = legacy("ping", mcp_session_id=await server.initialize())
    doubled = HttpRequest("POST", request.headers, frozenset({"mcp-session-id"}), request.body)

    assert (await server.error(doubled))[0] == 400


async def test_an_unsupported_version_header_gets_400() -> None:
    server = Server()
    session = await server.initialize()

    status, error = await server.error(
        legacy("ping", mcp_session_id=session, mcp_protocol_version="2026-01-01")
    )

    assert status == 400
    assert "2025-06-18" in error["message"]


async def test_a_deleted_session_gets_404() -> None:
    server = Server()
    session = await server.initialize()

    answer = await server.respond(delete(session))

    assert (answer.status, answer.body) == (204, b"")
    assert (await server.error(legacy("ping", mcp_session_id=session)))[0] == 404
    assert (await server.error(delete(session)))[0] == 404
    assert (await server.error(get(session)))[0] == 404


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("server/discover", {}, -32601),
        ("subscriptions/listen", {}, -32601),
        ("nonsense", {}, -32601),
        ("logging/setLevel", {"level": "loud"}, -32602),
        ("tools/list", {"cursor": "x"}, -32602),
        ("tools/call", {"name": "missing"}, -32602),
        ("resources/read", {"uri": "test://x"}, -32002),
        ("resources/subscribe", {"uri": "test://x"}, -32002),
        ("resources/subscribe", {"uri": 5}, -32602),
    ],
)
async def test_an_invalid_request_gets_an_error_with_status_200(
    method: str, params: dict[str, Any], code: int
) -> None:
    server = Server()
    session = await server.initialize()

    answer = await server.respond(legacy(method, params, request_id="mine", mcp_session_id=session))

    body = json.loads(answer.body)
    assert (answer.status, body["error"]["code"], body["id"]) == (200, code, "mine")


async def test_setting_a_log_level_returns_an_empty_result() -> None:
    server = Server()
    session = await server.initialize()

    request = legacy("logging/setLevel", {"level": "warning"}, mcp_session_id=session)

    assert await server.result(request) == {}


async def test_notifications_and_responses_get_202() -> None:
    server = Server()
    session = await server.initialize()

    for message in (
        notification("notifications/initialized", mcp_session_id=session),
        notification("notifications/cancelled", {"requestId": 5}, mcp_session_id=session),
        notification("notifications/cancelled", {"requestId": []}, mcp_session_id=session),
        post({"jsonrpc": "2.0", "id": 1, "result": {}}, mcp_session_id=session),
    ):
        answer = await server.respond(message)
        assert (answer.status, answer.body) == (202, b"")


async def test_a_client_that_disconnects_does_not_cancel_its_call() -> None:
    server = Server(tool("slow"))
    session = await server.initialize()
    server.executor.gate.clear()
    request = legacy("tools/call", {"name": "slow"}, mcp_session_id=session)
    call = asyncio.ensure_future(server.respond(request))
    await server.executor.started.wait()

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert server.endpoint.in_flight == 1
    server.executor.gate.set()
    await server.endpoint.idle()
    assert server.executor.cancelled == []
    assert server.observer.tools == [("slow", "ok")]


async def test_the_memory_for_calls_of_disconnected_clients_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(legacy_module, "MAX_ABANDONED", 6000)
    server = Server(tool("slow"))
    session = await server.initialize()
    server.executor.gate.clear()

    async def leave() -> None:
        params = {"name": "slow", "_meta": {"x": "y" * 2000}}
        request = legacy("tools/call", params, mcp_session_id=session)
        call = asyncio.ensure_future(server.respond(request))
        await server.executor.started.wait()
        server.executor.started.clear()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    await leave()
    await leave()
    async with hang_guard():
        await server.executor.stopped.wait()
    assert server.endpoint.in_flight == 1

    server.executor.gate.set()
    await server.endpoint.idle()
    server.executor.gate.clear()
    await leave()
    assert server.executor.cancelled == ["slow"]
    server.executor.gate.set()
    await server.endpoint.idle()
    assert server.observer.tools == [("slow", each) for each in ("cancelled", "ok", "ok")]


async def test_a_cancel_notification_cancels_only_a_call_of_its_own_session() -> None:
    server = Server(tool("slow"))
    mine, other = await server.initialize(), await server.initialize()
    server.executor.gate.clear()
    request = legacy("tools/call", {"name": "slow"}, request_id=9, mcp_session_id=mine)
    call = asyncio.ensure_future(server.respond(request))
    await server.executor.started.wait()

    await server.respond(
        notification("notifications/cancelled", {"requestId": 9}, mcp_session_id=other)
    )
    await asyncio.sleep(0)  # a cancellation takes effect in the next iteration of the loop
    await asyncio.sleep(0)
    assert server.executor.cancelled == []
    await server.respond(
        notification("notifications/cancelled", {"requestId": 9}, mcp_session_id=mine)
    )

    error = json.loads((await call).body)["error"]
    assert error["message"] == "The client cancelled this request"
    assert server.executor.cancelled == ["slow"]


async def test_a_call_over_the_concurrency_limit_of_the_server_gets_503() -> None:
    server = Server(tool("slow"), max_concurrent_requests=0)
    session = await server.initialize()

    answer = await server.respond(legacy("tools/call", {"name": "slow"}, mcp_session_id=session))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_a_structured_result_that_is_not_an_object_is_wrapped() -> None:
    server = Server(
        tool("regions", output_schema={"type": "array"}),
        tool("free"),
        tool("sum", output_schema={"type": "object"}),
        tool("either", output_schema={"anyOf": [{"type": "object"}, {"type": "null"}]}),
        tool("encoded"),
        tool("encoded object"),
    )
    server.executor.results = {
        "regions": ToolResult(content=(), structured=["eu"]),
        "free": ToolResult(content=(), structured=5),
        "sum": ToolResult(content=(), structured={"n": 1}),
        "either": ToolResult(content=(), structured={"n": 1}),
        "encoded": ToolResult(content=(), structured=exact.Encoded(b'["eu"]')),
        "encoded object": ToolResult(content=(), structured=exact.Encoded(b'{"n":1}')),
    }
    session = await server.initialize()

    structured = {}
    for name in server.executor.results:
        result = await server.result(legacy("tools/call", {"name": name}, mcp_session_id=session))
        structured[name] = result["structuredContent"]

    assert structured == {
        "regions": {"result": ["eu"]},
        "free": {"result": 5},
        "sum": {"n": 1},
        "either": {"result": {"n": 1}},
        "encoded": {"result": ["eu"]},
        "encoded object": {"n": 1},
    }


async def test_a_batch_of_2025_03_26_gets_one_array_of_responses() -> None:
    server = Server(tool("add"))
    session = await server.initialize("2025-03-26")
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": "two", "method": "tools/call", "params": {"name": "add"}},
        {"jsonrpc": "2.0", "id": 3, "method": "nonsense"},
        {"jsonrpc": "2.0", "id": 4, "method": "initialize"},
        "no message",
    ]

    answer = await server.respond(post(batch, mcp_session_id=session))

    answers = json.loads(answer.body)
    assert [item["id"] for item in answers] == [1, "two", 3, 4, None]
    assert answers[1]["result"]["content"][0]["text"] == "add"
    assert [item["error"]["code"] for item in answers[2:]] == [-32601, -32601, -32600]


async def test_a_batch_without_requests_gets_202() -> None:
    server = Server()
    session = await server.initialize("2025-03-26")

    answer = await server.respond(
        post([{"jsonrpc": "2.0", "method": "notifications/x"}], mcp_session_id=session)
    )

    assert (answer.status, answer.body) == (202, b"")


@pytest.mark.parametrize(
    ("version", "length"),
    [("2025-06-18", 1), ("2025-11-25", 1), ("2025-03-26", 0), ("2025-03-26", 51)],
)
async def test_batches_of_other_revisions_or_sizes_get_error_32600(
    version: str, length: int
) -> None:
    server = Server()
    session = await server.initialize(version)
    batch = [{"jsonrpc": "2.0", "id": 1, "method": "ping"}] * length

    status, error = await server.error(post(batch, mcp_session_id=session))

    assert (status, error["code"]) == (400, -32600)


async def test_a_batch_without_a_session_gets_400() -> None:
    assert (await Server().error(post([])))[0] == 400


async def test_a_session_can_subscribe_to_at_most_1000_resources() -> None:
    entries = resource("order", uri_template="orders:///{id}", backend=backend())
    server = Server(entries)
    session = await server.initialize()

    for number in range(1000):
        request = legacy(
            "resources/subscribe", {"uri": f"orders:///{number}"}, mcp_session_id=session
        )
        assert await server.result(request) == {}
    _, error = await server.error(
        legacy("resources/subscribe", {"uri": "orders:///x"}, mcp_session_id=session)
    )
    assert "at most 1000" in error["message"]


async def test_a_uri_of_more_than_2048_characters_cannot_be_subscribed_to() -> None:
    server = Server(resource("order", uri_template="orders:///{id}", backend=backend()))
    session = await server.initialize()
    uri = "orders:///" + "a" * 2040

    _, error = await server.error(
        legacy("resources/subscribe", {"uri": uri}, mcp_session_id=session)
    )

    assert "longer than 2048" in error["message"]
