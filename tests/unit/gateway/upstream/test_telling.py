"""Progress and log events in the stream of a backend, which clients get while a call runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_operator.api.catalog import Credentials, ResponseMapping, SecretKey
from mcp_operator.gateway.contract import Call, ToolResult
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream import telling
from mcp_operator.gateway.upstream.client import HttpUpstream
from support.entries import backend, catalog, tool
from support.fake_upstream import CANARY, FakeSecrets
from support.recording_listener import RecordingListener
from support.results import completed
from support.waiting import eventually

RESULT = b'event: result\ndata: {"content":[{"type":"text","text":"done"}]}\n\n'
DONE = ({"type": "text", "text": "done"},)


Proceed = Callable[[], bool]


async def called(
    *pieces: bytes,
    heard: RecordingListener | None = None,
    proceed: Proceed = lambda: True,
    ends: bool = True,
    native: bool = True,
    to: Any = None,
    **fields: Any,
) -> ToolResult:
    """Call a tool whose backend sends a piece each time `proceed` allows it, and can then end."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)

            async def may() -> bool:
                return proceed()

            await eventually(may, expected=True)
        if not ends:
            await asyncio.Event().wait()
        return response

    entry = tool(to=to or backend(), response=ResponseMapping(native=native, **fields))
    current = Current()
    current.swap(Table(catalog(entry), "d"))
    app = web.Application()
    app.router.add_route("*", "/", handler)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        HttpUpstream({"demo/orders:80": f"127.0.0.1:{server.port}"}, user_agent="t") as upstream,
    ):
        executor = HttpExecutor(current, upstream, FakeSecrets())
        return await completed(
            executor.call_tool(entry, {}, Call(listener=heard or RecordingListener()))
        )


def event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


async def test_progress_and_log_messages_are_sent_before_the_result() -> None:
    heard = RecordingListener()
    pieces = (
        event("progress", {"progress": 1, "total": 2, "message": "half"}),
        event("log", {"level": "warning", "data": {"n": 1}, "logger": "db"}),
        event("log", {"data": "plain"}),
        RESULT,
    )
    told = iter([1, 2, 3, 3])
    expected = next(told)

    def proceed() -> bool:
        nonlocal expected
        if len(heard.progresses) + len(heard.logs) < expected:
            return False
        expected = next(told, 3)
        return True

    result = await called(*pieces, heard=heard, proceed=proceed)

    assert result == ToolResult(DONE)
    assert heard.progresses == [(1, 2, "half")]
    assert heard.logs == [("warning", b'{"n":1}', "db"), ("info", b'"plain"', "")]


async def test_a_result_ends_the_reading_of_a_stream() -> None:
    assert (await called(RESULT, ends=False)).content == DONE


async def test_an_event_can_arrive_in_pieces_and_without_a_final_empty_line() -> None:
    heard = RecordingListener()
    whole = b'\xef\xbb\xbfevent:progress\r\ndata:{"progress"\r\ndata::3}\r\n\r\n' + RESULT[:-2]
    pieces = [whole[n : n + 7] for n in range(0, len(whole), 7)]

    assert (await called(*pieces, heard=heard)).content == DONE
    assert heard.progresses == [(3, None, "")]


async def test_a_stream_without_a_result_event_is_returned_without_its_progress() -> None:
    heard = RecordingListener()

    progress = event("progress", {"progress": 1})
    result = await called(b"data: 1\n\n", progress, b"data: 2\n\n", heard=heard)

    assert result.content == ({"type": "text", "text": "data: 1\n\ndata: 2\n\n"},)
    assert len(heard.progresses) == 1


async def test_a_stream_with_only_progress_is_an_error() -> None:
    result = await called(event("progress", {"progress": 1}))

    assert result.is_error
    assert "its event stream ended without a result" in result.content[0]["text"]


async def test_the_limits_of_a_stream_apply_to_one_with_progress() -> None:
    progress = event("progress", {"progress": 1})

    late = await called(progress, ends=False, stream_max_seconds=0.05)
    assert (
        "ended after 0.05 s (maxDuration, or the time for a call) without a result"
        in (late.content[0]["text"])
    )
    counted = await called(progress, b"data: 1\n\n" * 3, ends=False, stream_max_events=2)
    assert counted.content[0]["text"] == "data: 1\n\ndata: 1\n\n"


async def test_an_event_that_does_not_end_is_cut_at_the_size_limit() -> None:
    small = backend(max_response_bytes=1000)

    cut = await called(b"data: 1\n\n", b"data: " + b"x" * 2000, ends=False, to=small)

    assert cut.content[0]["text"] == "data: 1\n\n"
    assert "reading ended after 1000 bytes (maxBytes)" in cut.content[1]["text"]


async def test_progress_events_are_plain_text_unless_the_tool_declares_native() -> None:
    heard = RecordingListener()
    stream = event("progress", {"progress": 1}) + RESULT

    result = await called(stream, heard=heard, native=False)

    assert result.content == ({"type": "text", "text": stream.decode()},)
    assert heard == RecordingListener()


@pytest.mark.parametrize(
    "bad",
    [
        event("progress", {"progress": "1"}),
        event("progress", {"progress": True}),
        event("progress", {"progress": 1e300}),
        event("progress", [1]),
        b"event: progress\ndata: {\n\n",
        b'event: progress\ndata: {"progress": 1e999}\n\n',
        event("log", {"level": "loud", "data": 1}),
        event("log", {"level": "info"}),
        event("log", {"data": 1, "logger": "x" * 200}),
        event("log", {"data": "x" * 70_000}),
        b'event: log\ndata: {"data":' + b"[" * 5000 + b"]" * 5000 + b"}\n\n",
    ],
)
async def test_an_invalid_event_is_dropped(bad: bytes) -> None:
    heard = RecordingListener()

    assert (await called(bad + RESULT, heard=heard)).content == DONE
    assert heard == RecordingListener()


async def test_only_the_last_of_several_progress_events_is_sent() -> None:
    heard = RecordingListener()
    many = b"".join(event("progress", {"progress": n}) for n in range(100))

    await called(many + RESULT, heard=heard)

    assert heard.progresses == [(99, None, "")]


async def test_the_number_of_log_messages_of_one_call_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "MAX_LOGS", 3)
    heard = RecordingListener()

    await called(event("log", {"data": 1}) * 10 + RESULT, heard=heard)

    assert len(heard.logs) == 3


async def test_a_secret_in_a_stream_is_redacted() -> None:
    heard = RecordingListener()
    secret = CANARY.decode()
    pieces = (
        event("progress", {"progress": 1, "message": f"with {secret}"}),
        event("log", {"data": {"token": secret}}),
        event("result", {"content": [{"type": "text", "text": secret}]}),
    )
    key = SecretKey(namespace="demo", name="s", key="token")
    to = backend(credentials=Credentials(type="Bearer", secret=key))

    result = await called(*pieces, heard=heard, to=to)

    assert secret not in str((heard, result))
    assert heard.progresses == [(1, None, "with [redacted]")]


async def test_invisible_characters_are_removed_from_a_message() -> None:
    heard = RecordingListener()

    await called(event("progress", {"progress": 1, "message": "a\u202eb"}) + RESULT, heard=heard)

    assert heard.progresses == [(1, None, "ab")]
