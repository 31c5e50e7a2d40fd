"""What both eras have in common: methods, media types, hosts and origins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.api.catalog import ServerSettings
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.origin import OriginPolicy
from mcp_operator.gateway.table import Current
from support.entries import tool
from support.mcp_http import (
    JSON_HEADERS,
    META,
    MODERN,
    Server,
    legacy,
    message_of,
    modern,
    post,
    table,
)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_modern_era_allows_only_post(method: str) -> None:
    headers = JSON_HEADERS | {"mcp-protocol-version": MODERN, "mcp-session-id": "x"}

    answer = await Server().respond(HttpRequest(method, headers))

    assert (answer.status, answer.headers["allow"]) == (405, "POST")


async def test_other_methods_get_405() -> None:
    answer = await Server().respond(HttpRequest("PUT", JSON_HEADERS))

    assert (answer.status, answer.headers["allow"]) == (405, "POST, GET, DELETE")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"id": NaN}', b'"\\ud800"', b"[" * 5000, b"nonsense"]
)
async def test_a_body_that_is_not_json_gets_error_32700(body: bytes) -> None:
    answer = await Server().respond(post(body))

    decoded = json.loads(answer.body)
    assert (answer.status, decoded["error"]["code"], decoded["id"]) == (400, -32700, None)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/jsonp", "multipart/form-data"])
async def test_a_content_type_other_than_json_gets_415(kind: str) -> None:
    status, _ = await Server().error(modern("tools/list", content_type=kind))

    assert status == 415


async def test_a_content_type_with_a_charset_is_accepted() -> None:
    request = modern("tools/list", content_type="Application/JSON; charset=utf-8")

    assert (await Server().respond(request)).status == 200


@pytest.mark.parametrize("accept", ["*/*", "application/*;q=0.5", "text/html, application/json"])
async def test_a_client_that_accepts_json_gets_json(accept: str) -> None:
    answer = await Server().respond(modern("tools/list", accept=accept))

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"


async def test_a_client_that_accepts_neither_json_nor_events_gets_406() -> None:
    status, _ = await Server().error(modern("tools/list", accept="text/html"))

    assert status == 406


async def test_a_client_that_accepts_only_events_gets_its_response_as_an_event() -> None:
    answer = await Server(tool("add")).respond(modern("tools/list", accept="text/event-stream"))

    assert answer.headers["content-type"] == "text/event-stream"
    assert message_of(answer.body)["result"]["tools"][0]["name"] == "add"


async def test_an_unknown_method_gets_404_as_json_and_not_as_an_event() -> None:
    status, error = await Server().error(modern("weather", accept="text/event-stream"))

    assert (status, error["code"]) == (404, -32601)


async def test_a_request_without_an_accept_header_gets_json() -> None:
    request = modern("tools/list")
    headers = {name: value for name, value in request.headers.items() if name != "accept"}

    answer = await Server().respond(HttpRequest("POST", headers, body=request.body))

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"


async def test_both_eras_list_the_same_tools() -> None:
    server = Server(tool("add"), tool("sub"))
    session = await server.initialize()

    modern_tools = await server.result(modern("tools/list"))
    legacy_tools = await server.result(legacy("tools/list", mcp_session_id=session))

    assert modern_tools["tools"] == legacy_tools["tools"]


async def test_modern_metadata_with_a_legacy_version_header_is_refused() -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"_meta": META}}

    status, error = await Server().error(post(message, mcp_protocol_version="2025-11-25"))

    assert (status, error["code"]) == (400, -32020)


async def test_a_modern_version_header_without_metadata_is_refused() -> None:
    status, error = await Server().error(legacy("tools/list", mcp_protocol_version=MODERN))

    assert (status, error["code"]) == (400, -32602)
    assert "_meta" in error["message"]


LOCAL = OriginPolicy(loopback=True)
OPEN = OriginPolicy()
LISTED = OriginPolicy(
    allowed_origins=["https://chat.example/"], allowed_hosts=["mcp.example"], loopback=False
)


def of(**settings: Any) -> OriginPolicy:
    """Return the policy of a pod whose MCPServer has these settings."""
    return OriginPolicy(settings=lambda: ServerSettings(namespace="demo", name="shop", **settings))


INGRESS = of(own_hosts=("mcp.example", "*.mcp.example"))
NAMED = of(own_hosts=("mcp.example",), allowed_hosts=("other.example",))


@pytest.mark.parametrize(
    ("policy", "host", "origin"),
    [
        (of(allowed_origins=("https://chat.example",)), "10.0.0.1:8080", "https://chat.example"),
        (of(allowed_origins=("http://localhost:6274",)), "localhost", "http://localhost:6274"),
        (of(allowed_origins=("*",)), "anything", "https://evil.example"),
        (INGRESS, "mcp.example", "https://mcp.example"),
        (INGRESS, "shop.mcp.example", "https://shop.mcp.example"),
        (INGRESS, "anything", None),
        (NAMED, "other.example", None),
        (NAMED, "mcp.example", "https://mcp.example"),
        (LOCAL, "localhost:8080", None),
        (LOCAL, "127.0.0.1:8080", None),
        (LOCAL, "[::1]:8080", None),
        (LOCAL, "LOCALHOST", "http://localhost:6274"),
        (LOCAL, "localhost:8080", "http://127.0.0.1"),
        (OPEN, "shop.demo.svc:8080", None),
        (OPEN, "anything", None),
        (LISTED, "mcp.example", None),
        (LISTED, "mcp.example:443", "https://chat.example"),
        (LISTED, "mcp.example", "https://mcp.example"),
        (OriginPolicy(allowed_origins=["*"]), "anything", "https://evil.example"),
    ],
)
async def test_clients_without_origin_and_allowed_web_pages_are_served(
    policy: OriginPolicy, host: str, origin: str | None
) -> None:
    headers = {"host": host} | ({"origin": origin} if origin else {})

    answer = await Server(policy=policy).respond(modern("tools/list", None, 1, **headers))

    assert answer.status == 200


@pytest.mark.parametrize(
    ("policy", "host", "origin"),
    [
        (of(allowed_origins=("https://chat.example",)), "shop", "https://chat.example:444"),
        (INGRESS, "mcp.example", "https://shop.mcp.example"),
        (INGRESS, "evil.example", "http://evil.example"),
        (INGRESS, "xmcp.example", "http://xmcp.example"),
        (NAMED, "evil.example", None),
        (NAMED, "mcp.example.evil.example", None),
        (NAMED, "10.0.0.1", None),
        (LOCAL, "evil.example", None),
        (LOCAL, "localhost.evil.example:8080", None),
        (LOCAL, "", None),
        (LOCAL, "[", None),
        (LOCAL, "localhost:8080", "http://evil.example"),
        (LOCAL, "localhost:8080", "http://["),
        (LOCAL, "localhost:8080", "null"),
        (LOCAL, "localhost:8080", ""),
        (OPEN, "evil.example", "http://evil.example"),
        (OPEN, "shop.demo.svc:8080", "https://chat.example"),
        (LISTED, "other.example", None),
        (LISTED, "mcp.example", "https://chat.example.evil.example"),
        (LISTED, "mcp.example", "http://chat.example"),
    ],
)
async def test_unknown_hosts_and_origins_get_403(
    policy: OriginPolicy, host: str, origin: str | None
) -> None:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    server = Server(tool("add"), policy=policy)

    status, _ = await server.error(modern("tools/call", {"name": "add"}, **headers))

    assert status == 403
    assert server.executor.calls == []


async def test_allowed_origins_change_with_the_catalog() -> None:
    current = Current()
    policy = OriginPolicy(settings=lambda: current.server)
    server = Server(policy=policy)
    asked = modern("tools/list", origin="https://chat.example")

    assert (await server.respond(asked)).status == 403
    current.swap(table(allowed_origins=("https://chat.example",)))
    answer = await server.respond(asked)
    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    current.swap(table())
    assert (await server.respond(asked)).status == 403


async def test_a_403_does_not_quote_the_host_or_the_origin() -> None:
    for headers in ({"host": "canary.example"}, {"origin": "http://canary.example"}):
        answer = await Server(policy=LOCAL).respond(modern("tools/list", None, 1, **headers))

        assert answer.status == 403
        assert b"canary" not in answer.body


async def test_a_web_page_of_an_allowed_origin_can_read_the_response() -> None:
    server = Server(policy=LISTED)

    answer = await server.respond(
        modern("tools/list", host="mcp.example", origin="https://chat.example")
    )

    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    assert answer.headers["access-control-expose-headers"].startswith("mcp-session-id")
    assert answer.headers["vary"] == "origin"


async def test_a_preflight_of_an_allowed_origin_gets_cors_headers() -> None:
    headers = {
        "host": "mcp.example",
        "origin": "https://chat.example",
        "access-control-request-headers": "content-type,mcp-method",
    }

    answer = await Server(policy=LISTED).respond(HttpRequest("OPTIONS", headers))

    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "content-type,mcp-method"
    assert answer.headers["access-control-allow-methods"] == "POST, GET, DELETE"


async def test_a_preflight_of_another_origin_gets_403() -> None:
    headers = {"host": "mcp.example", "origin": "https://evil.example"}

    answer = await Server(policy=LISTED).respond(HttpRequest("OPTIONS", headers))

    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


async def test_a_request_without_origin_gets_no_cors_headers() -> None:
    answer = await Server().respond(modern("tools/list"))

    assert set(answer.headers) == {"content-type"}
