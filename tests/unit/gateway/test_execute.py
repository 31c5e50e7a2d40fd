from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from mcp_operator.api.catalog import Backend, Credentials, Header, SecretKey, ToolEntry
from mcp_operator.gateway.contract import Call, ToolResult
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import HttpUpstream, Tls, UpstreamError
from support.entries import argument, backend, catalog, tool
from support.fake_upstream import CANARY, FakeSecrets, FakeUpstream, Reply, fields
from support.hostile_backend import hostile_backend
from support.results import completed

KEY = SecretKey(namespace="demo", name="api", key="token")
USER = SecretKey(namespace="demo", name="api", key="user")


def executor(
    upstream: Any, *entries: ToolEntry, secrets: FakeSecrets | None = None, **settings: Any
) -> HttpExecutor:
    current = Current()
    current.swap(Table(catalog(*entries, **settings), "d"))
    return HttpExecutor(current, upstream, secrets or FakeSecrets())


def ok(body: bytes = b"fine", content_type: str = "text/plain", status: int = 200) -> Answer:
    return Answer(status, content_type, body)


def text_of(result: ToolResult) -> str:
    return str(result.content[0]["text"])


async def call(
    upstream: Any, to: Backend, secrets: FakeSecrets | None = None, **kw: Any
) -> ToolResult:
    called = tool(to=to)
    arguments = kw.pop("arguments", {})
    under_test = executor(upstream, called, secrets=secrets)
    return await completed(under_test.call_tool(called, arguments, Call(**kw)))


async def test_a_call_maps_its_arguments_and_the_response() -> None:
    upstream = FakeUpstream(ok(b'{"n":1}', "application/json"))
    result = await call(upstream, backend("/o/{id}", argument("id", "path")), arguments={"id": "7"})
    assert result.structured == {"n": 1}
    request, tls, limit = upstream.sent[0]
    assert request.target == "/o/7"
    assert tls == Tls()
    assert limit == 10 * 1024 * 1024


async def test_arguments_that_cannot_be_mapped_return_an_error_result() -> None:
    upstream = FakeUpstream(ok())
    result = await call(
        upstream, backend("/o/{id}", argument("id", "path")), arguments={"id": ".."}
    )
    assert (result.is_error, result.cause) == (True, "invalid_arguments")
    assert "'id'" in text_of(result)
    assert not upstream.sent


async def test_the_response_limit_of_the_tool_overrides_that_of_the_server() -> None:
    upstream = FakeUpstream(ok())
    await call(upstream, backend(max_response_bytes=7))
    assert upstream.sent[0][2] == 7


@pytest.mark.looptime
async def test_a_call_ends_after_the_timeout_of_its_tool() -> None:
    upstream = FakeUpstream()
    loop = asyncio.get_running_loop()
    result = await call(upstream, backend(timeout_seconds=3))
    assert loop.time() == pytest.approx(3)
    assert result.is_error
    assert "did not answer in time" in text_of(result)
    assert upstream.cancelled == 1


@pytest.mark.looptime
async def test_a_call_ends_after_the_timeout_of_the_server_if_its_tool_has_none() -> None:
    upstream, called = FakeUpstream(), tool()
    loop = asyncio.get_running_loop()
    under_test = executor(upstream, called, request_timeout_seconds=9)
    assert (await completed(under_test.call_tool(called, {}, Call()))).is_error
    assert loop.time() == pytest.approx(9)


@pytest.mark.looptime
async def test_a_call_ends_at_an_earlier_deadline_of_the_client() -> None:
    loop = asyncio.get_running_loop()
    result = await call(FakeUpstream(), backend(timeout_seconds=30), deadline=loop.time() + 1)
    assert result.is_error
    assert loop.time() == pytest.approx(1)


@pytest.mark.parametrize(
    ("path", "seconds", "cause"),
    [
        ("/stall", 0.3, "timeout"),
        ("/hang-up", 600, "unreachable"),
        ("/not-http", 600, "backend_error"),
        ("/gigabyte", 600, "backend_error"),
    ],
)
async def test_a_failed_call_has_a_cause_and_logs_one_line(
    path: str, seconds: float, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mcp_operator.gateway.execute")
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    async with (
        hostile_backend() as hostile,
        HttpUpstream({"demo/orders:80": hostile.address}, user_agent="t") as upstream,
    ):
        to = backend(path, timeout_seconds=seconds, max_response_bytes=1024**2)
        result = await call(upstream, to, trace={"traceparent": trace})
    assert result.cause == cause
    (line,) = caplog.records
    said = vars(line)
    assert (said["backend"], said["outcome"], said["trace"]) == ("orders.demo.svc:80", cause, trace)
    assert said["error"]
    assert said["seconds"] >= 0


@pytest.mark.parametrize(
    ("status", "cause"), [(404, "client_error"), (429, "client_error"), (503, "backend_error")]
)
async def test_a_call_with_an_error_status_has_a_cause_and_logs_one_line(
    status: int, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mcp_operator.gateway.execute")
    result = await call(FakeUpstream(ok(b"no", status=status)), backend())
    assert (result.is_error, result.cause) == (True, cause)
    (line,) = caplog.records
    assert (vars(line)["status"], vars(line)["outcome"]) == (status, cause)


async def test_a_client_that_disconnects_cancels_the_call_to_the_backend() -> None:
    async with (
        hostile_backend() as hostile,
        HttpUpstream({"demo/orders:80": hostile.address}, user_agent="t") as upstream,
    ):
        task = asyncio.create_task(call(upstream, backend("/stall")))
        await hostile.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await hostile.closed.wait()
        assert hostile.open_connections == 0


@pytest.mark.parametrize(
    ("path", "seconds", "sentence"),
    [
        ("/gigabyte", 600, "larger than 1048576 bytes"),
        ("/bad-json", 600, "not the JSON"),
        ("/redirect", 600, "302 Found, a redirect to http://169.254.169.254/latest, which is not"),
        ("/stall", 0.3, "did not answer in time"),
        ("/hang-up", 600, "closed the connection"),
        ("/not-http", 600, "not valid HTTP"),
        ("/gzip", 600, "cannot be decompressed"),
    ],
)
async def test_a_call_to_a_hostile_backend_fails_with_what_it_did(
    path: str, seconds: float, sentence: str
) -> None:
    async with (
        hostile_backend() as hostile,
        HttpUpstream({"demo/orders:80": hostile.address}, user_agent="t") as upstream,
    ):
        result = await call(
            upstream, backend(path, timeout_seconds=seconds, max_response_bytes=1 << 20)
        )
    assert result.is_error
    assert sentence in text_of(result)


@pytest.mark.looptime
async def test_a_backend_that_does_not_respond_does_not_block_calls_to_others() -> None:
    upstream = FakeUpstream(ok(), hung=frozenset({"hung.demo.svc"}))
    hung, fine = tool("hung", to=backend(host="hung.demo.svc")), tool("fine")
    under_test = executor(upstream, hung, fine, max_concurrent_requests=8)
    calls = [Call(client=f"client-{number}") for number in range(8)]
    stuck = [asyncio.create_task(completed(under_test.call_tool(hung, {}, call))) for call in calls]
    done, pending = await asyncio.wait(stuck, timeout=0.01)
    assert [text_of(task.result()) for task in done] == [
        "The backend is busy with other calls; try again in a moment."
    ] * 2
    results = [await completed(under_test.call_tool(fine, {}, Call())) for _ in range(50)]
    assert not any(result.is_error for result in results)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        (Credentials(type="Bearer", secret=KEY), "Authorization", "Bearer canary-8c1f3a-secret"),
        (
            Credentials(type="Basic", secret=KEY, username=USER),
            "Authorization",
            "Basic YWRhOmNhbmFyeS04YzFmM2Etc2VjcmV0",
        ),
        (
            Credentials(type="Basic", secret=KEY),
            "Authorization",
            "Basic OmNhbmFyeS04YzFmM2Etc2VjcmV0",
        ),
        (Credentials(type="Header", name="X-Key", secret=KEY), "X-Key", "canary-8c1f3a-secret"),
    ],
)
async def test_credentials_are_read_from_the_secret(
    credentials: Credentials, header: str, value: str
) -> None:
    upstream = FakeUpstream(ok())
    secrets = FakeSecrets({"token": CANARY + b"\n", "user": b"ada"})
    await call(upstream, backend(credentials=credentials), secrets)
    assert upstream.headers[header] == value


async def test_only_declared_headers_of_the_client_are_forwarded() -> None:
    upstream = FakeUpstream(ok())
    sent = {
        "authorization": "Bearer client",
        "cookie": "a=b",
        "x-forwarded-for": "1.2.3.4",
        "mcp-session-id": "s",
        "x-tenant": "acme",
        "host": "evil",
        "connection": "x-tenant",
        "transfer-encoding": "chunked",
    }
    named = ("x-tenant", "host", "transfer-encoding", "connection", "content-length", "absent")
    await call(upstream, backend(forward_headers=named), headers=sent)
    assert set(upstream.headers) == {"Accept", "x-tenant"}
    await call(upstream, backend(forward_headers=("Authorization",)), headers=sent)
    assert upstream.headers["Authorization"] == "Bearer client"


async def test_declared_headers_override_those_of_the_client_and_of_arguments() -> None:
    upstream = FakeUpstream(ok())
    to = backend(
        "/",
        argument("tenant", "header", target="x-tenant"),
        headers=(Header(name="X-Tenant", value="fixed"), Header(name="X-Key", secret=KEY)),
        forward_headers=("x-tenant", "authorization"),
        credentials=Credentials(type="Bearer", secret=KEY),
    )
    await call(
        upstream,
        to,
        headers={"x-tenant": "client", "authorization": "Bearer client"},
        arguments={"tenant": "argument"},
    )
    headers = {name.lower(): value for name, value in fields(upstream.sent[0][0])}
    assert headers["x-tenant"] == "fixed"
    assert headers["x-key"] == CANARY.decode()
    assert headers["authorization"] == f"Bearer {CANARY.decode()}"
    assert len(upstream.sent[0][0].headers) == len(headers)


PARENT = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}


@pytest.mark.parametrize(
    ("trace", "sent"),
    [
        (PARENT, PARENT),
        (PARENT | {"tracestate": "k=v"}, PARENT | {"tracestate": "k=v"}),
        (PARENT | {"tracestate": "a\nb"}, PARENT),
        (PARENT | {"tracestate": "k=" + "v" * 511}, PARENT),
        (PARENT | {"baggage": "user=1"}, PARENT),
        ({"tracestate": "k=v"}, {}),
        ({"traceparent": "00-evil\r\nX: 1", "tracestate": "k=v"}, {}),
        ({"traceparent": f"ff-{'a' * 32}-{'b' * 16}-01", "tracestate": "k=v"}, {}),
        ({"traceparent": f"00-{'0' * 32}-{'b' * 16}-01"}, {}),
        ({"traceparent": f"00-{'a' * 32}-{'0' * 16}-01"}, {}),
        ({"traceparent": f"00-{'A' * 32}-{'b' * 16}-01"}, {}),
    ],
)
async def test_only_a_valid_trace_context_is_forwarded(
    trace: dict[str, str], sent: dict[str, str]
) -> None:
    upstream = FakeUpstream(ok())
    await call(upstream, backend(), trace=trace)
    assert upstream.headers == {"Accept": upstream.headers["Accept"]} | sent


async def test_the_tls_settings_are_those_of_the_backend() -> None:
    upstream = FakeUpstream(ok())
    to = backend(scheme="https", ca=KEY, server_name="x.y", insecure_skip_verify=True)
    await call(upstream, to)
    assert upstream.sent[0][1] == Tls(ca=CANARY, server_name="x.y", verify=False)


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_that_the_backend_refuses_are_read_again(status: int) -> None:
    secrets = FakeSecrets()
    to = backend(credentials=Credentials(type="Bearer", secret=KEY))
    result = await call(FakeUpstream(ok(status=status)), to, secrets)
    assert result.is_error
    assert secrets.distrusted == [KEY]


ECHO = b'{"you sent": "Bearer ' + CANARY + b'", "basic": "OmNhbmFyeS04YzFmM2Etc2VjcmV0"}'

FAILURES: dict[str, Callable[[], Reply]] = {
    "echo": lambda: ok(ECHO, "application/json"),
    "echo in an error": lambda: ok(ECHO, "application/json", 500),
    "unreachable": lambda: UpstreamError("connect", "The backend cannot be reached."),
    "silent": lambda: None,
    "bad json": lambda: ok(b"{" + ECHO, "application/json"),
}


@pytest.mark.looptime
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", ["Bearer", "Basic", "Header"])
async def test_no_result_and_no_log_contains_a_credential(
    failure: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = Credentials.model_validate({"type": kind, "secret": KEY})
    with caplog.at_level(logging.DEBUG):
        result = await call(FakeUpstream(FAILURES[failure]()), backend(credentials=credentials))
    seen = str(result) + caplog.text + str([vars(record) for record in caplog.records])
    assert CANARY.decode() not in seen
    if kind == "Basic":
        assert "OmNhbmFyeS04YzFmM2Etc2VjcmV0" not in seen


@pytest.mark.parametrize("value", [CANARY + b"\r\nX-Evil: 1", b"\xff" + CANARY, CANARY + b"\x00"])
async def test_a_secret_that_is_not_valid_in_a_header_is_neither_sent_nor_quoted(
    value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    upstream = FakeUpstream(ok())
    to = backend(credentials=Credentials(type="Bearer", secret=KEY))
    with caplog.at_level(logging.DEBUG):
        result = await call(upstream, to, FakeSecrets({"token": value}))
    assert result.is_error
    assert CANARY.decode() not in str(result) + caplog.text
    assert not upstream.sent


async def test_a_missing_secret_is_named_only_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    to = backend(credentials=Credentials(type="Bearer", secret=KEY))
    with caplog.at_level(logging.INFO):
        result = await call(FakeUpstream(ok()), to, FakeSecrets({}))
    assert result.is_error
    assert "demo/api" not in text_of(result)
    (record,) = caplog.records
    assert "demo/api" in vars(record)["error"]
    assert vars(record)["backend"] == "orders.demo.svc:80"


async def test_the_address_of_an_unreachable_backend_is_logged_and_not_returned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    upstream = FakeUpstream(UpstreamError("connect", "It refuses.", "10.0.0.7:80"))
    with caplog.at_level(logging.INFO):
        result = await call(upstream, backend())
    assert text_of(result) == "It refuses."
    (record,) = caplog.records
    assert vars(record)["address"] == "10.0.0.7:80"


async def test_a_local_gateway_returns_the_address_of_an_unreachable_backend() -> None:
    upstream = FakeUpstream(UpstreamError("connect", "It refuses.", "127.0.0.1:9000"))
    called = tool()
    current = Current()
    current.swap(Table(catalog(called), "d"))
    local = HttpExecutor(current, upstream, FakeSecrets(), name_addresses=True)
    result = await completed(local.call_tool(called, {}, Call()))
    assert text_of(result) == "It refuses; 127.0.0.1:9000 was tried."


async def test_a_response_that_violates_the_output_schema_is_an_error() -> None:
    called = tool(output_schema={"type": "object", "required": ["n"]})
    under_test = executor(FakeUpstream(ok(b"{}", "application/json")), called)
    result = await completed(under_test.call_tool(called, {}, Call()))
    assert result.is_error
    assert '"n" is a required property' in text_of(result)
