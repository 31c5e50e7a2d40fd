"""The audit log: one line for each call, without arguments, keys, results or URIs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from mcp_operator.core.logs import JsonLineFormatter
from mcp_operator.gateway.policy import audit
from mcp_operator.gateway.policy.audit import REFUSALS_PER_SECOND
from support.entries import backend, prompt, resource, tool
from support.fake_executor import text_result
from support.identity import API_KEYS, ISSUER, Clients, MovedClock, by_token, token
from support.mcp_http import Server, legacy, modern

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
KEY = "canary-alice-0123456789"
CATALOG = (
    tool("search"),
    prompt("Hello", name="hello"),
    resource("order", uri_template="orders://{id}", backend=backend("/{id}")),
)

pytestmark = pytest.mark.looptime


def server(level: str) -> Server:
    return Server(*CATALOG, secrets=Clients(alice=KEY), auth=API_KEYS, audit=level)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the audit lines as written, without the fields that every log line has."""
    form = JsonLineFormatter()
    written = [
        json.loads(form.format(record))
        for record in caplog.records
        if record.name == audit.__name__
    ]
    for line in written:
        assert (line.pop("level"), line.pop("logger")) == ("INFO", audit.__name__)
        del line["timestamp"]
    return written


@pytest.fixture
def quiet() -> Iterator[None]:
    """Log only errors, as with `logLevel: error`."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    yield
    root.setLevel(before)


async def test_a_call_is_logged_with_its_client_at_any_log_level(
    caplog: pytest.LogCaptureFixture, quiet: None
) -> None:
    shop = server("All")
    call = {"name": "search", "arguments": {"q": "canary-argument"}}
    request = modern("tools/call", call, 7, x_api_key=KEY, traceparent=TRACE)

    await shop.result(request)

    (line,) = lines(caplog)
    assert 0 < line.pop("responseBytes") < 500
    assert line.pop("milliseconds") >= 0
    assert line == {
        "message": "A client made a call",
        "client": "alice",
        "method": "tools/call",
        "tool": "search",
        "backend": "orders.demo.svc:80",
        "outcome": "ok",
        "requestBytes": len(request.body),
        "requestId": "7",
        "trace": TRACE,
    }


async def test_a_call_with_a_token_is_logged_with_its_issuer_and_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Server(*CATALOG, clock=MovedClock(), auth=by_token(), audit="All")

    await shop.result(modern("prompts/get", {"name": "hello"}, authorization=f"Bearer {token()}"))

    (line,) = lines(caplog)
    assert (line["client"], line["issuer"], line["prompt"]) == ("alice", ISSUER, "hello")


async def test_the_audit_level_failures_logs_only_failed_and_refused_calls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = server("Failures")
    shop.executor.results["search"] = text_result("canary-result", is_error=True)
    await shop.result(modern("prompts/get", {"name": "hello"}, x_api_key=KEY))
    await shop.result(modern("tools/call", {"name": "search"}, x_api_key=KEY))
    await shop.error(modern("tools/call", {"name": "canary-name"}, x_api_key=KEY))
    await shop.respond(modern("tools/list", x_api_key="canary-of-a-stranger"))

    told = lines(caplog)

    assert [line.get("outcome", line.get("reason")) for line in told] == [
        "tool_error",
        "error",
        "invalid",
    ]
    assert "tool" not in told[1], "a name that is not in the catalog can contain anything"


async def test_the_audit_level_off_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    shop = server("Off")
    await shop.result(modern("tools/call", {"name": "search"}, x_api_key=KEY))
    await shop.respond(modern("tools/list"))

    assert lines(caplog) == []


async def test_list_requests_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    await server("All").result(modern("tools/list", x_api_key=KEY))

    assert lines(caplog) == []


async def test_no_argument_key_result_or_uri_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shop = server("All")
    shop.executor.results["search"] = text_result("canary-result")
    shop.executor.results["orders://canary-id"] = ({"uri": "x", "text": "canary-content"},)
    session = (
        await shop.respond(legacy("initialize", {"protocolVersion": "2025-11-25"}, x_api_key=KEY))
    ).headers["mcp-session-id"]
    for ask in (modern, legacy):
        extra = {"mcp_session_id": session} if ask is legacy else {}
        call = {"name": "search", "arguments": {"q": "canary-argument"}}
        await shop.respond(ask("tools/call", call, x_api_key=KEY, **extra))
        read = {"uri": "orders://canary-id"}
        await shop.respond(ask("resources/read", read, x_api_key=KEY, **extra))
        await shop.respond(ask("tools/call", {"name": 7}, x_api_key=KEY, **extra))
        await shop.respond(ask("tools/call", {"name": "search"}, x_api_key="canary", **extra))

    told = lines(caplog)
    assert len(told) == 8
    assert told[1]["resource"] == "orders://{id}"
    assert "canary" not in json.dumps(told)
    assert "canary" not in caplog.text


async def test_refused_clients_are_logged_at_a_limited_rate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = server("All")
    for _ in range(1000):
        await shop.respond(modern("tools/list"))

    assert len(lines(caplog)) == REFUSALS_PER_SECOND
