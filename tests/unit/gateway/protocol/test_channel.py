"""Messages on the stream of a call before its result: progress, logs, keep-alive comments."""

from __future__ import annotations

import asyncio
import math

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import Call, ToolResult
from mcp_operator.gateway.protocol.channel import MAX_WAITING, WAITING
from mcp_operator.gateway.protocol.message import HttpRequest, HttpStream
from mcp_operator.gateway.protocol.origin import OriginPolicy
from mcp_operator.gateway.protocol.spec import Era
from support.entries import tool
from support.fake_executor import Script, text_result
from support.mcp_http import META, Server, legacy, message_of, modern

LEVEL = "io.modelcontextprotocol/logLevel"
LONG = 65.0
"""Seconds that a call takes, less than the request timeout."""


def server(script: Script) -> Server:
    made = Server(tool("report"), request_timeout_seconds=120)
    made.executor.results["report"] = script
    return made


def call(**meta: object) -> HttpRequest:
    return modern("tools/call", {"name": "report", "_meta": META | meta})


async def legacy_call(made: Server, session: str = "", **meta: object) -> HttpRequest:
    session = session or await made.initialize()
    params = {"name": "report", "_meta": meta}
    return legacy("tools/call", params, mcp_session_id=session)


async def steps(of: Call) -> ToolResult:
    of.listener.progress(0, 100)
    await asyncio.sleep(1)
    of.listener.progress(50, 100, "half")
    await asyncio.sleep(1)
    return text_result("done")


async def words(of: Call) -> ToolResult:
    of.listener.log("debug", "a detail")
    of.listener.log("info", {"step": 1}, "worker")
    of.listener.log("error", "it failed")
    await asyncio.sleep(1)
    return text_result("done")


async def slow(_: Call) -> ToolResult:
    await asyncio.sleep(LONG)
    return text_result("done")


def progress(token: object, value: float, **more: object) -> JsonObject:
    params = {"progressToken": token, "progress": value, **more}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def text_of(answer: JsonObject) -> str:
    text: str = answer["result"]["content"][0]["text"]
    return text


@pytest.mark.looptime
@pytest.mark.parametrize("era", Era)
async def test_progress_is_sent_before_the_result(era: Era) -> None:
    made = server(steps)
    request = (
        call(progressToken="p") if era is Era.MODERN else await legacy_call(made, progressToken="p")
    )

    *told, answer = await made.exchange(request)

    assert told == [progress("p", 0, total=100), progress("p", 50, total=100, message="half")]
    assert text_of(answer) == "done"
    assert made.observer.requests[-1] == ("tools/call", era, "ok")


@pytest.mark.looptime
@pytest.mark.parametrize("token", [None, True, 1.5, "x" * 257])
async def test_no_progress_is_sent_without_a_valid_progress_token(token: object) -> None:
    assert len(await server(steps).exchange(call(progressToken=token))) == 1


@pytest.mark.looptime
async def test_a_client_that_accepts_only_json_gets_no_notifications() -> None:
    request = modern(
        "tools/call",
        {"name": "report", "_meta": META | {"progressToken": 1, LEVEL: "debug"}},
        accept="application/json",
    )

    for script in (steps, words, slow):
        assert len(await server(script).exchange(request)) == 1


@pytest.mark.looptime
async def test_progress_that_does_not_increase_is_dropped() -> None:
    async def to_and_fro(of: Call) -> ToolResult:
        for value in (3, 3, 2, math.nextafter(3, 4)):
            of.listener.progress(value)
            await asyncio.sleep(1)
        return text_result("done")

    *told, _ = await server(to_and_fro).exchange(call(progressToken=7))

    assert [one["params"]["progress"] for one in told] == [3, math.nextafter(3, 4)]


@pytest.mark.looptime
async def test_log_messages_below_the_requested_level_are_dropped() -> None:
    *told, _ = await server(words).exchange(call(**{LEVEL: "info"}))

    assert [one["method"] for one in told] == ["notifications/message"] * 2
    assert [one["params"] for one in told] == [
        {"level": "info", "data": {"step": 1}, "logger": "worker"},
        {"level": "error", "data": "it failed"},
    ]


@pytest.mark.looptime
async def test_a_client_that_requests_no_log_level_gets_no_log_messages() -> None:
    made = server(words)

    assert len(await made.exchange(call())) == 1
    assert len(await made.exchange(await legacy_call(made))) == 1


async def test_an_unknown_log_level_is_an_error() -> None:
    status, error = await server(words).error(call(**{LEVEL: "loud"}))

    assert (status, error["code"]) == (200, -32602)
    assert "must be one of debug, info" in error["message"]


@pytest.mark.looptime
async def test_log_messages_below_the_level_of_the_session_are_dropped() -> None:
    made = server(words)
    session = await made.initialize()
    await made.result(legacy("logging/setLevel", {"level": "error"}, mcp_session_id=session))

    *told, _ = await made.exchange(await legacy_call(made, session))

    assert [one["params"]["level"] for one in told] == ["error"]


@pytest.mark.looptime
@pytest.mark.parametrize("era", Era)
async def test_a_long_call_sends_keep_alives(era: Era) -> None:
    made = server(slow)
    request = call() if era is Era.MODERN else await legacy_call(made)

    *told, answer = await made.exchange(request)

    assert told == [{}] * 4  # after 10, 25, 40 and 55 s
    assert text_of(answer) == "done"


@pytest.mark.looptime
async def test_a_long_call_sends_progress_until_its_backend_does() -> None:
    async def late(of: Call) -> ToolResult:
        await asyncio.sleep(30)
        of.listener.progress(1, 2)
        await asyncio.sleep(20)
        return text_result("done")

    *told, _ = await server(late).exchange(call(progressToken="p"))

    assert told == [
        progress("p", 10, message=WAITING),
        progress("p", 25, message=WAITING),
        progress("p", 26, total=27),
        {},
    ]


@pytest.mark.looptime
async def test_an_error_ends_a_stream_that_has_started() -> None:
    async def fails(of: Call) -> ToolResult:
        of.listener.progress(1)
        await asyncio.sleep(1)
        raise ValueError("unexpected")

    made = server(fails)

    _, answer = await made.exchange(call(progressToken=1))

    assert answer["error"]["code"] == -32603
    assert made.observer.requests[-1] == ("tools/call", Era.MODERN, "error")


@pytest.mark.looptime
async def test_a_call_in_a_batch_gets_no_notifications() -> None:
    made = server(steps)
    session = await made.initialize("2025-03-26")
    request = await legacy_call(made, session, progressToken="p")
    request.body = b"[" + request.body + b"]"

    (answers,) = await made.exchange(request)

    assert text_of(answers[0]) == "done"  # type: ignore[index]


class Reader:
    """A client that reads only when the test does."""

    def __init__(self, made: Server, request: HttpRequest) -> None:
        self.streams: list[HttpStream] = []
        request.begin = self.streams.append
        self.task = asyncio.create_task(made.endpoint.handle(request))

    async def rest(self) -> list[JsonObject]:
        await self.task
        return [message_of(one) async for one in self.streams[0].frames]


@pytest.mark.looptime
async def test_a_slow_client_gets_only_the_latest_progress() -> None:
    async def much(of: Call) -> ToolResult:
        for value in range(1000):
            of.listener.progress(value)
        return text_result("done")

    told, answer = await Reader(server(much), call(progressToken="p")).rest()

    assert told == progress("p", 999)
    assert text_of(answer) == "done"


@pytest.mark.looptime
async def test_keep_alives_do_not_replace_progress_that_a_slow_client_has_not_read() -> None:
    async def begins(of: Call) -> ToolResult:
        of.listener.progress(1)
        return await slow(of)

    told, answer = await Reader(server(begins), call(progressToken="p")).rest()

    assert told == progress("p", 1)
    assert text_of(answer) == "done"


@pytest.mark.looptime
async def test_the_messages_queued_for_a_slow_client_are_bounded() -> None:
    async def talks(of: Call) -> ToolResult:
        for _ in range(100):
            of.listener.log("info", "x" * (MAX_WAITING // 10))
        return text_result("done")

    *told, answer = await Reader(server(talks), call(**{LEVEL: "debug"})).rest()

    assert len(told) == 9
    assert text_of(answer) == "done"


@pytest.mark.looptime
async def test_a_modern_client_that_disconnects_cancels_its_call() -> None:
    made = server(steps)
    reader = Reader(made, call(progressToken=1))
    await asyncio.sleep(0.5)

    reader.task.cancel()
    await asyncio.wait([reader.task])

    assert made.executor.cancelled == ["report"]
    assert made.observer.requests == [("tools/call", Era.MODERN, "cancelled")]
    assert [one async for one in reader.streams[0].frames][1:] == []  # no response


@pytest.mark.looptime
async def test_a_legacy_client_that_disconnects_does_not_cancel_its_call() -> None:
    made = server(steps)
    reader = Reader(made, await legacy_call(made, progressToken=1))
    await asyncio.sleep(0.5)

    reader.task.cancel()
    await reader.streams[0].frames.aclose()
    await made.endpoint.idle()

    assert made.executor.cancelled == []
    assert made.observer.requests[-1] == ("tools/call", Era.LEGACY, "ok")
    assert [one async for one in reader.streams[0].frames] == []


@pytest.mark.looptime
async def test_a_legacy_client_can_cancel_a_streaming_call() -> None:
    made = server(steps)
    session = await made.initialize()
    reader = Reader(made, await legacy_call(made, session, progressToken=1))
    await asyncio.sleep(0.5)

    cancel = legacy("", mcp_session_id=session)
    cancel.body = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
    await made.respond(cancel)

    *_, answer = await reader.rest()
    assert answer["error"]["code"] == -31002


@pytest.mark.looptime
async def test_a_web_page_of_an_allowed_origin_can_read_a_stream() -> None:
    page = "https://chat.example"
    made = Server(
        tool("report"), policy=OriginPolicy(allowed_hosts=["shop.demo"], allowed_origins=[page])
    )
    made.executor.results["report"] = steps
    request = call(progressToken=1)
    request.headers = {**request.headers, "origin": page}
    reader = Reader(made, request)

    await reader.rest()

    assert reader.streams[0].headers["access-control-allow-origin"] == page


@pytest.mark.looptime
async def test_each_call_starts_a_stream_ten_seconds_after_it_began() -> None:
    made, begun = server(slow), []
    clock = asyncio.get_running_loop().time
    start = clock()

    async def after(seconds: float) -> None:
        await asyncio.sleep(seconds)
        request = call()
        request.begin = lambda _: begun.append(clock() - start)
        await made.endpoint.handle(request)

    await asyncio.gather(*(after(seconds) for seconds in (0, 4, 4, 30)))

    assert begun == pytest.approx([10, 14, 14, 40])
