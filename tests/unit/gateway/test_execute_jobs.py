"""Jobs, which a backend accepts with 202: polling, waiting for the result, and dropping."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_operator.api.catalog import Backend, Credentials, Header, TaskPolicy, ToolEntry
from mcp_operator.gateway.contract import Call, ClientInput, Job, JobUnreachableError, ToolResult
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.reading import UNLIMITED, StreamLimits
from support.entries import backend, catalog, tool
from support.fake_upstream import CANARY, FakeSecrets, fields
from support.recording_listener import RecordingListener

TOKEN = {"namespace": "demo", "name": "api", "key": "token"}
TAKES = Call(takes_jobs=True)


class Scripted:  # an `Upstream`
    """Sends one scripted reply for each request."""

    def __init__(self, *replies: Answer | Exception) -> None:
        self.replies = list(replies)
        self.sent: list[Request] = []

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits = UNLIMITED
    ) -> Answer:
        self.sent.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    @property
    def asked(self) -> list[str]:
        return [f"{each.method} {each.target}" for each in self.sent]


def accepted(location: str = "/jobs/7", body: bytes = b"", **headers: str) -> Answer:
    given = [("location", location)] if location else []
    given += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answer(202, "application/json", body, tuple(given))


def ok(body: bytes = b"done", status: int = 200, *headers: tuple[str, str]) -> Answer:
    return Answer(status, "text/plain", body, headers)


def report(to: Backend | None = None, **fields: Any) -> ToolEntry:
    policy = TaskPolicy(mode="Auto", poll_seconds=5)
    return tool("report", to or backend("/reports", method="POST"), task=policy, **fields)


def executor(upstream: Scripted, called: ToolEntry) -> HttpExecutor:
    current = Current()
    current.swap(Table(catalog(called), "d"))
    return HttpExecutor(current, upstream, FakeSecrets())


async def call(upstream: Scripted, called: ToolEntry | None = None, given: Call = TAKES) -> Any:
    called = called or report()
    return await executor(upstream, called).call_tool(called, {}, given)


async def look(upstream: Scripted, called: ToolEntry | None = None, job: str = "/jobs/7") -> Any:
    called = called or report()
    return await executor(upstream, called).look_at(called, Job(job, 5.0), Call())


def text_of(result: ToolResult) -> str:
    return str(result.content[0]["text"])


async def test_a_202_with_a_location_starts_a_job() -> None:
    assert await call(Scripted(accepted())) == Job("/jobs/7", 5.0)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("jobs/7?v=1", "/jobs/7?v=1"),
        ("http://orders.demo.svc/jobs/7#x", "/jobs/7"),
        ("//orders.demo.svc.cluster.local:80/j", "/j"),
        ("/j\u00fc", "/j%C3%BC"),
    ],
)
async def test_the_location_of_a_job_can_be_any_uri_of_the_service(
    location: str, target: str
) -> None:
    assert (await call(Scripted(accepted(location)))).target == target


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.example/jobs/7",
        "https://orders.demo.svc/jobs/7",
        "http://orders.demo.svc:8080/jobs/7",
        "http://orders.demo.svc@evil.example/jobs/7",
        "http://169.254.169.254/latest",
        "//evil.example/jobs/7",
        "/jobs/\\7",
        "/jobs/7\r\nX: y",
        "http://[::1",
        "/" + "x" * 20_000,
    ],
)
async def test_a_location_outside_the_service_is_an_error_and_not_requested(location: str) -> None:
    upstream = Scripted(accepted(location))
    result = await call(upstream)
    assert result.is_error
    assert "not on the tool's Service and is not requested" in text_of(result)
    assert upstream.asked == ["POST /reports"]


async def test_a_202_without_a_location_returns_its_content() -> None:
    result = await call(Scripted(accepted("", b'{"queued":true}')))
    assert result.structured == {"queued": True}


async def test_a_202_returns_its_location_if_the_tool_has_no_task_policy() -> None:
    result = await call(Scripted(accepted()), tool("report", backend(method="POST")))
    assert not result.is_error
    assert "Location: /jobs/7" in str(result.content)


@pytest.mark.parametrize(
    ("sent", "pause"),
    [("30", 30.0), ("0", 1.0), ("999999", 3600.0), ("soon", 1.0), ("-5", 1.0)],
)
async def test_the_poll_interval_is_the_retry_after_of_the_backend_within_limits(
    sent: str, pause: float
) -> None:
    assert (await call(Scripted(accepted(retry_after=sent)))).pause == pause


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"statusMessage":"Half \xe2\x80\xaedone"}', "Half done"),
        (b'{"statusMessage":7}', ""),
        (b'["statusMessage"]', ""),
        (b"{", ""),
        (b'{"statusMessage":"' + b"x" * 70_000 + b'"}', ""),
    ],
)
async def test_the_status_message_of_the_backend_is_read(body: bytes, message: str) -> None:
    assert (await call(Scripted(accepted(body=body)))).message == message


async def test_a_poll_is_a_get_without_the_body_of_the_call() -> None:
    upstream = Scripted(ok())
    result = await look(upstream)
    assert text_of(result) == "done"
    assert upstream.asked == ["GET /jobs/7"]
    assert upstream.sent[0].body is None
    assert "Content-Type" not in dict(fields(upstream.sent[0]))


async def test_a_poll_sends_the_credentials_of_the_tool() -> None:
    credentials = Credentials.model_validate({"type": "Bearer", "secret": TOKEN})
    upstream = Scripted(ok())
    await look(upstream, report(backend(credentials=credentials)))
    assert dict(fields(upstream.sent[0]))["Authorization"] == f"Bearer {CANARY.decode()}"


async def test_credentials_in_the_query_are_sent_once_and_not_stored() -> None:
    credentials = Credentials.model_validate({"type": "Query", "name": "key", "secret": TOKEN})
    secret = Header.model_validate({"name": "pass", "secret": TOKEN})
    called = report(backend("/reports", method="POST", credentials=credentials, query=(secret,)))
    echoed = f"/jobs/7?a=1&key={CANARY.decode()}&pass={CANARY.decode()}"
    upstream = Scripted(accepted(echoed), ok())
    job = await call(upstream, called)
    assert CANARY.decode() not in job.target
    await look(upstream, called, job.target)
    assert upstream.sent[1].target == f"/jobs/7?a=1&pass={CANARY.decode()}&key={CANARY.decode()}"


async def test_the_location_of_a_job_can_change_within_the_service() -> None:
    found = await look(Scripted(accepted("/other", retry_after="9")))
    assert found == Job("/other", 9.0)
    assert await look(Scripted(accepted("http://evil.example/"))) == Job("/jobs/7", 5.0)
    assert await look(Scripted(accepted(""))) == Job("/jobs/7", 5.0)


async def test_a_303_from_a_job_is_followed_to_its_result() -> None:
    upstream = Scripted(ok(b"", 303, ("location", "/results/7")), ok(b"all of it"))
    assert text_of(await look(upstream)) == "all of it"
    assert upstream.asked == ["GET /jobs/7", "GET /results/7"]


@pytest.mark.parametrize("status", [400, 404, 410, 500])
async def test_a_job_that_failed_returns_an_error_result(status: int) -> None:
    result = await look(Scripted(ok(b"out of paper", status)))
    assert result.is_error
    assert "out of paper" in text_of(result)


@pytest.mark.parametrize(
    ("reply", "pause"),
    [
        (UpstreamError("connect", "The backend refuses connections."), 0),
        (ok(b"", 503, ("retry-after", "40")), 40),
        (ok(b"", 429), 0),
        (ok(b"", 502), 0),
        (ok(b"", 504), 0),
    ],
)
async def test_a_backend_that_cannot_be_polled_raises_an_error_with_the_pause(
    reply: Answer | Exception, pause: float
) -> None:
    with pytest.raises(JobUnreachableError) as caught:
        await look(Scripted(reply))
    assert caught.value.pause == pause


async def test_the_input_of_the_client_is_posted_to_the_job() -> None:
    upstream, called = Scripted(accepted("")), report()
    given = Call(input=ClientInput({"name": {"action": "accept"}}, "s"))
    assert await executor(upstream, called).look_at(called, Job("/jobs/7", 5.0), given) == Job(
        "/jobs/7", 5.0
    )
    assert upstream.asked == ["POST /jobs/7"]


@pytest.mark.looptime
async def test_a_client_without_tasks_waits_for_the_result_of_a_job() -> None:
    upstream = Scripted(accepted(), accepted(retry_after="7"), ok(b"", 503), ok())
    began = asyncio.get_running_loop().time()
    assert text_of(await call(upstream, given=Call())) == "done"
    assert upstream.asked == ["POST /reports", *["GET /jobs/7"] * 3]
    assert asyncio.get_running_loop().time() - began == pytest.approx(5 + 7 + 7)


@pytest.mark.looptime
async def test_a_client_that_waits_for_a_job_gets_its_progress() -> None:
    heard = RecordingListener()
    said = accepted(body=b'{"statusMessage":"Half done"}')
    await call(Scripted(accepted(), said, ok()), given=Call(listener=heard))
    assert heard.progresses == [(0, None, ""), (1, None, "Half done")]


@pytest.mark.looptime
async def test_the_input_of_a_call_is_not_sent_with_polls_of_its_job() -> None:
    upstream = Scripted(accepted(), ok())
    await call(upstream, given=Call(input=ClientInput({"a": {"action": "decline"}}, "s")))
    assert upstream.asked == ["POST /reports", "GET /jobs/7"]


@pytest.mark.looptime
async def test_a_call_that_times_out_returns_the_location_of_its_result() -> None:
    upstream = Scripted(*[accepted()] * 20)
    called = report(backend("/reports", method="POST", timeout_seconds=12))
    result = await call(upstream, called, Call())
    assert result.is_error
    assert "Do not repeat the call; the result will be at /jobs/7" in text_of(result)
    assert asyncio.get_running_loop().time() <= 12
    assert len(upstream.sent) == 3


@pytest.mark.parametrize("answer", [ok(b"", 204), ok(b"", 404), ok(b"", 405), OSError()])
async def test_a_job_is_dropped_with_delete_and_errors_are_ignored(answer: Any) -> None:
    if isinstance(answer, OSError):
        answer = UpstreamError("closed", "The backend closed the connection early.")
    upstream, called = Scripted(answer), report()
    await executor(upstream, called).drop(called, Job("/jobs/7", 5.0), Call())
    assert upstream.asked == ["DELETE /jobs/7"]
