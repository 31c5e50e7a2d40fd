"""Complete MCP requests of both protocol generations, from headers and body to the response."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

from fuzz.feed import Feed
from fuzz.loop import run
from mcp_operator.gateway.protocol import jsonrpc, spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.message import HttpRequest, HttpResponse
from support.entries import argument, backend, prompt, resource, tool
from support.mcp_http import JSON_HEADERS, META, MODERN, Server

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count", "default": 3},
        "tags": {"type": "array", "items": {"type": ["string", "null"]}},
    },
}
ENTRIES = (
    tool("search", backend("/", argument("region")), input_schema=SCHEMA),
    tool("strict", input_schema={"type": "object", "additionalProperties": False}),
    prompt("Hello {{name}}", name="hello", variables=({"name": "name", "required": True},)),
    resource("docs", uri="docs://a", text="content"),
    resource("orders", uri_template="orders://{id}{?page,tag*}", backend=backend("/{id}")),
)
HEADERS = (
    "accept",
    "content-encoding",
    "content-type",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-param-count",
    "mcp-param-region",
    "mcp-protocol-version",
    "mcp-session-id",
    "origin",
    "traceparent",
)
VERBS = ("POST", "GET", "DELETE", "OPTIONS", "PUT")
METHODS = (*sorted(spec.METHODS), "notifications/cancelled", "notifications/initialized", "none")
VERSIONS = (*spec.MODERN_VERSIONS, *spec.LEGACY_VERSIONS, "2099-01-01")
NAMES = ("search", "strict", "hello", "docs://a", "orders://7?page=1", "none")
IDS: tuple[Any, ...] = (1, "a", -1, 2**70, None, 1.5, "\ud800")
STATUSES = frozenset({200, 202, 204, 400, 403, 404, 405, 406, 415, 429, 503})
CODES = frozenset(
    {
        spec.PARSE_ERROR,
        spec.INVALID_REQUEST,
        spec.METHOD_NOT_FOUND,
        spec.INVALID_PARAMS,
        spec.LEGACY_RESOURCE_NOT_FOUND,
        spec.HEADER_MISMATCH,
        spec.UNSUPPORTED_VERSION,
        spec.REFUSED,
        spec.OVERLOADED,
        spec.CANCELLED,
    }
)
"""All codes but -32603, which is an internal error."""


@functools.cache
def served() -> tuple[Server, str]:
    """Return a server and a session with it."""
    shop = Server(*ENTRIES)
    return shop, run(shop.initialize(spec.BATCHING_VERSION))


def check(data: bytes) -> None:
    """Send a request to a complete endpoint."""
    feed = Feed(data)
    http = request(feed)
    shop, _ = served()
    shop.executor.calls.clear()
    run(_answered(shop, http))
    assert shop.endpoint.in_flight == 0
    assert shop.endpoint.open_streams == 0
    if http.method == "POST":
        _check_decoding(http.body)


def request(feed: Feed) -> HttpRequest:
    """Return any request, or a well-formed one with changes by the bytes."""
    build = feed.pick((_modern, _legacy, _any))
    verb = "POST" if build is not _any else feed.pick(VERBS)
    body, headers = build(feed)
    headers |= {name: feed.text() for name in feed.some(HEADERS)}
    repeated = frozenset(feed.some(HEADERS))
    if build is _any:
        body = feed.rest()
    return HttpRequest(verb, {**JSON_HEADERS, **headers}, repeated, body, path="/mcp")


def _any(_: Feed) -> tuple[bytes, dict[str, str]]:
    return b"", {}


def _params(feed: Feed) -> dict[str, Any]:
    value = feed.value()
    params = dict(value) if isinstance(value, dict) else {"arguments": value}
    if feed.byte() % 2:
        params["name"] = feed.pick(NAMES)
        params["uri"] = feed.pick(NAMES)
        params["ref"] = {"type": feed.pick(("ref/prompt", "ref/resource")), **params}
    return params


def _modern(feed: Feed) -> tuple[bytes, dict[str, str]]:
    method, params = feed.pick(METHODS), _params(feed)
    params["_meta"] = META if feed.byte() % 4 else feed.value()
    headers = {"mcp-protocol-version": MODERN, "mcp-method": method}
    name = params.get(spec.NAMED_BY.get(method, ""))
    if isinstance(name, str):
        headers["mcp-name"] = name
    return _body(feed, method, params), headers


def _legacy(feed: Feed) -> tuple[bytes, dict[str, str]]:
    headers = {"mcp-session-id": served()[1]}
    if feed.byte() % 2:
        headers["mcp-protocol-version"] = feed.pick(VERSIONS)
    single = _body(feed, feed.pick(METHODS), _params(feed))
    return (
        (b"[" + b",".join([single] * (feed.byte() % 3)) + b"]", headers)
        if (feed.byte() % 4 == 0)
        else (single, headers)
    )


def _body(feed: Feed, method: str, params: dict[str, Any]) -> bytes:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if feed.byte() % 4:
        message["id"] = feed.pick(IDS)
    return json.dumps(message).encode()


async def _answered(shop: Server, http: HttpRequest) -> None:
    answer = await shop.endpoint.handle(http)
    for name, value in answer.headers.items():
        assert not {"\r", "\n", "\0"} & set(name + value), name
    if not isinstance(answer, HttpResponse):
        await anext(answer.frames)
        await answer.frames.aclose()
        return
    assert answer.status in STATUSES, answer
    _check_answers(http, answer)


def _check_answers(http: HttpRequest, answer: HttpResponse) -> None:
    """Check that a response follows JSON-RPC: each request has one response with its id."""
    if not answer.body:
        return
    body = strict(answer.body)
    asked = _loaded(http.body)
    answers = body if isinstance(body, list) else [body]
    ids = [each.get("id") for each in asked if isinstance(each, dict) and "method" in each]
    for each in answers:
        assert each["jsonrpc"] == "2.0"
        assert ("result" in each) != ("error" in each)
        assert each["id"] is None or each["id"] in ids, each["id"]
        if "error" in each:
            assert each["error"]["code"] in CODES, each
    assert len(answers) <= max(1, len(asked))


def _loaded(body: bytes) -> list[Any]:
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else [value]


def strict(body: bytes) -> Any:
    """Parse JSON by RFC 8259 with the standard library."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(body.decode(), parse_constant=refuse)


def _check_decoding(body: bytes) -> None:
    """Compare the JSON decoder with that of the standard library, and encode the value again."""
    try:
        ours = jsonrpc.decode(body)
    except RpcError:
        return
    assert same(ours, json.loads(body.decode())), body
    if is_finite(ours):  # 1e999 is JSON, and infinite in Python
        assert same(jsonrpc.decode(jsonrpc.encode(ours)), ours)


def is_finite(value: Any) -> bool:
    """Return whether a JSON value contains no infinity."""
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def same(one: Any, other: Any) -> bool:
    """Compare two JSON values without NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=1e-15)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)
