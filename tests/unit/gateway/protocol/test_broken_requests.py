"""Any request gets a response that the protocol defines, and never an internal error."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.message import HttpRequest, HttpResponse
from support.entries import backend, prompt, resource, tool
from support.mcp_http import META, MODERN, Server, post

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(
    (
        *("name", "uri", "arguments", "cursor", "ref", "argument", "notifications", "level"),
        *("requestId", "protocolVersion", "_meta", "value", "type", "resourceSubscriptions"),
    )
)
NAMES = st.sampled_from(["add", "greet", "file:///readme", "ref/prompt", "ref/resource"])
PARAMS = st.dictionaries(KEYS, st.dictionaries(KEYS, NAMES | JSON, max_size=3) | NAMES | JSON)
METHODS = st.sampled_from([*sorted(spec.METHODS), "notifications/cancelled", "other"])


def entries() -> list[Any]:
    region = {"type": "string", "x-mcp-header": "Region"}
    return [
        tool("add", input_schema={"type": "object", "properties": {"region": region}}),
        prompt("{{who}}", name="greet", variables=[{"name": "who", "enum": ["a"]}]),
        resource("readme", uri="file:///readme", text="x"),
        resource("order", uri_template="orders:///{id}", backend=backend()),
    ]


async def answer_to(request: HttpRequest, *, in_session: bool) -> HttpResponse | None:
    """Return the response, or None for a stream."""
    server = Server(*entries())
    if in_session:
        session = {"mcp-session-id": await server.initialize()}
        request = HttpRequest("POST", {**request.headers, **session}, body=request.body)
    answer = await server.endpoint.handle(request)
    if isinstance(answer, HttpResponse):
        return answer
    await answer.frames.aclose()
    assert server.endpoint.open_streams == 0
    return None


def check(answer: HttpResponse | None) -> None:
    if answer is None or answer.status == 202:
        return
    decoded = json.loads(answer.body)
    for message in decoded if isinstance(decoded, list) else [decoded]:
        assert message["jsonrpc"] == "2.0"
        assert ("result" in message) != ("error" in message)
        assert message.get("error", {}).get("code") != spec.INTERNAL_ERROR
    assert answer.status in {200, 400, 404}


@settings(max_examples=150)
@given(method=METHODS, params=PARAMS, request_id=st.integers() | st.text(max_size=5) | JSON)
def test_a_modern_request_with_any_parameters_gets_a_valid_response(
    method: str, params: dict[str, Any], request_id: object
) -> None:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    request = post(
        {**message, "params": {"_meta": META, **params}},
        mcp_protocol_version=MODERN,
        mcp_method=method,
        mcp_name=str(params.get("name", params.get("uri", ""))),
    )

    check(asyncio.run(answer_to(request, in_session=False)))


@settings(max_examples=150)
@given(method=METHODS, params=PARAMS)
def test_a_legacy_request_with_any_parameters_gets_a_valid_response(
    method: str, params: dict[str, Any]
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

    check(asyncio.run(answer_to(post(message), in_session=True)))


@settings(max_examples=150)
@given(body=JSON | st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params"]), JSON))
def test_any_json_body_gets_a_valid_response(body: object) -> None:
    check(asyncio.run(answer_to(post(body), in_session=False)))


@settings(max_examples=150)
@given(body=st.binary(max_size=64))
def test_any_bytes_as_the_body_get_a_valid_response(body: bytes) -> None:
    check(asyncio.run(answer_to(post(body), in_session=False)))
