"""What the events of a stream tell while a call runs."""

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
from support.heard import Heard
from support.results import completed
from support.waiting import eventually

RESULT = b'event: result\ndata: {"content":[{"type":"text","text":"done"}]}\n\n'
DONE = ({"type": "text", "text": "done"},)


Proceed = Callable[[], bool]


async def called(
    *pieces: bytes,
    heard: Heard | None = None,
    proceed: Proceed = lambda: True,
    ends: bool = True,
    native: bool = True,
    to: Any = None,
    **fields: Any,
) -> ToolResult:
    """Call a tool whose backend sends a piece whenever it may proceed, then ends, or does not."""

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
        return await completed(executor.call_tool(entry, {}, Call(listener=heard or Heard())))


def event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


async def test_progress_and_log_messages_are_told_before_the_result() -> None:
    heard = Heard()
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


async def test_a_result_ends_a_stream_that_goes_on() -> None:
    assert (await called(RESULT, ends=False)).content == DONE


async def test_an_event_may_come_in_pieces_and_without_an_empty_line_at_the_end() -> None:
    heard = Heard()
    whole = b'\xef\xbb\xbfevent:progress\r\ndata:{"progress"\r\ndata::3}\r\n\r\n' + RESULT[:-2]
    pieces = [whole[n : n + 7] for n in range(0, len(whole), 7)]

    assert (await called(*pieces, heard=heard)).content == DONE
    assert heard.progresses == [(3, None, "")]


async def test_a_stream_without_a_result_is_the_answer_without_what_was_told() -> None:
    heard = Heard()

    progress = event("progress", {"progress": 1})
    result = await called(b"data: 1\n\n", progress, b"data: 2\n\n", heard=heard)

    assert result.content == ({"type": "text", "text": "data: 1\n\ndata: 2\n\n"},)
    assert len(heard.progresses) == 1


async def test_a_stream_that_only_tells_has_no_result() -> None:
    result = await called(event("progress", {"progress": 1}))

    assert result.is_error
    assert "its event stream ended without a result" in result.content[0]["text"]


async def test_the_bounds_of_a_stream_hold_for_one_that_tells() -> None:
    progress = event("progress", {"progress": 1})

    late = await called(progress, ends=False, stream_max_seconds=0.05)
    assert (
        "ended after 0.05 s (maxDuration, or the time for a call) without a result"
        in (late.content[0]["text"])
    )
    counted = await called(progress, b"data: 1\n\n" * 3, ends=False, stream_max_events=2)
    assert counted.content[0]["text"] == "data: 1\n\ndata: 1\n\n"


async def test_an_event_without_an_end_is_bounded_like_the_rest_of_a_stream() -> None:
    small = backend(max_response_bytes=1000)

    cut = await called(b"data: 1\n\n", b"data: " + b"x" * 2000, ends=False, to=small)

    assert cut.content[0]["text"] == "data: 1\n\n"
    assert "reading ended after 1000 bytes (maxBytes)" in cut.content[1]["text"]


async def test_a_backend_without_leave_tells_nothing() -> None:
    heard = Heard()
    stream = event("progress", {"progress": 1}) + RESULT

    result = await called(stream, heard=heard, native=False)

    assert result.content == ({"type": "text", "text": stream.decode()},)
    assert heard == Heard()


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
async def test_an_event_of_another_shape_is_dropped(bad: bytes) -> None:
    heard = Heard()

    assert (await called(bad + RESULT, heard=heard)).content == DONE
    assert heard == Heard()


async def test_of_progress_that_comes_at_once_the_last_is_told() -> None:
    heard = Heard()
    many = b"".join(event("progress", {"progress": n}) for n in range(100))

    await called(many + RESULT, heard=heard)

    assert heard.progresses == [(99, None, "")]


async def test_log_messages_of_one_call_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MAX_LOGS", 3)
    heard = Heard()

    await called(event("log", {"data": 1}) * 10 + RESULT, heard=heard)

    assert len(heard.logs) == 3


async def test_a_secret_that_a_stream_echoes_is_removed() -> None:
    heard = Heard()
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


async def test_what_hides_text_is_removed_from_a_message() -> None:
    heard = Heard()

    await called(event("progress", {"progress": 1, "message": "a\u202eb"}) + RESULT, heard=heard)

    assert heard.progresses == [(1, None, "ab")]
