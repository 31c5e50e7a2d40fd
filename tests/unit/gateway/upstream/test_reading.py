from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import HttpUpstream, Tls, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.reading import UNLIMITED, StreamLimits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SSE = "text/event-stream"


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[Callable[..., Awaitable[Answer]]]:
    app = web.Application()
    app.router.add_route("*", "/", handler)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        HttpUpstream({"demo/be:80": f"127.0.0.1:{server.port}"}, user_agent="t") as upstream,
    ):

        async def ask(limit: int = 1 << 20, stream: StreamLimits = UNLIMITED) -> Answer:
            request = Request("GET", "http", "be.demo.svc", 80, "/")
            return await upstream.send(request, Tls(), limit, stream)

        yield ask


def saying(*pieces: bytes, content_type: str = SSE, status: int = 200, **headers: str) -> Handler:
    """Respond piece by piece, then keep the connection open until the client disconnects."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            status=status, headers={"Content-Type": content_type, **headers}
        )
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        await asyncio.Event().wait()
        return response

    return handler


@pytest.mark.parametrize(
    ("content_type", "pieces", "events", "expected"),
    [
        (SSE, [b"data: 1\n\ndata: 2\n\ndata: 3\n\n"], 2, b"data: 1\n\ndata: 2\n\n"),
        (SSE, [b"data: 1\r\n", b"\r", b"\ndata: 2"], 1, b"data: 1\r\n\r\n"),
        (SSE, [b": ping\n\n", b"event: a\ndata: 1\n\n"], 1, b": ping\n\nevent: a\ndata: 1\n\n"),
        ("application/x-ndjson", [b'{"a":1}\n{"a', b'":2}\n{}'], 2, b'{"a":1}\n{"a":2}\n'),
        ("text/plain", [b"one\n\ntwo\nthree"], 2, b"one\n\ntwo\n"),
    ],
)
async def test_a_stream_is_cut_after_the_maximum_number_of_events(
    content_type: str, pieces: list[bytes], events: int, expected: bytes
) -> None:
    async with answering(saying(*pieces, content_type=content_type)) as ask:
        answer = await ask(stream=StreamLimits(max_events=events, any_type=True))
    assert answer.body == expected
    assert answer.cut == f"after {events} events (maxEvents)"


async def test_a_stream_is_cut_after_its_maximum_time_and_keeps_whole_events() -> None:
    async with answering(saying(b"data: 1\n\ndata: half")) as ask:
        answer = await ask(stream=StreamLimits(max_seconds=2))
    assert answer.body == b"data: 1\n\n"
    assert "2 s" in answer.cut


@pytest.mark.parametrize(
    ("declared", "content_type", "pieces", "expected"),
    [
        (SSE, "text/plain", [b"data: 1\n\n", b"data: 2\n\n"], b"data: 1\n\n"),
        ("application/x-ndjson", "text/plain", [b"1\n", b"2\n"], b"1\n"),
        ("application/x-ndjson", SSE, [b"1\n", b"2\n"], b"1\n"),
        ("text/plain", SSE, [b"data: 1\n\n", b"data: 2\n\n"], b"data: 1\n\n"),
    ],
)
async def test_a_stream_is_detected_by_its_declared_type_or_its_own(
    declared: str, content_type: str, pieces: list[bytes], expected: bytes
) -> None:
    async with answering(saying(*pieces, content_type=content_type)) as ask:
        answer = await ask(stream=StreamLimits(max_events=1, media_type=declared))
    assert answer.body == expected
    assert answer.cut


async def test_the_maximum_time_of_a_stream_does_not_apply_to_other_responses() -> None:
    async with answering(saying(b"{", content_type="application/json")) as ask:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ask(stream=StreamLimits(max_seconds=0.01))


async def test_over_the_size_limit_a_stream_is_cut_and_another_response_refused() -> None:
    async with answering(saying(b"data: 1\n\n", b"data: " + b"x" * 100)) as ask:
        answer = await ask(limit=50)
    assert (answer.body, answer.cut) == (b"data: 1\n\n", "after 50 bytes (maxBytes)")
    async with answering(saying(b"x" * 100, content_type="text/plain", status=201)) as ask:
        with pytest.raises(UpstreamError, match=r"201 Created, .* larger than 50") as told:
            await ask(limit=50)
    assert "Request less" in str(told.value)


async def test_an_error_that_is_too_large_or_invalid_keeps_its_status() -> None:
    async with answering(saying(b"x" * 100, content_type="text/plain", status=404)) as ask:
        assert (await ask(limit=50)).body == b"x" * 50

    async def broken(_: web.Request) -> web.Response:
        headers = {"Content-Encoding": "gzip"}
        return web.Response(status=404, body=gzip.compress(b"no")[:-9], headers=headers)

    async with answering(broken) as ask:
        answer = await ask()
    assert (answer.status, answer.body) == (404, b"")
    assert "Content-Encoding: gzip" in answer.problem


async def test_an_error_that_does_not_end_keeps_its_status_and_body_so_far() -> None:
    async with answering(saying(b"busy", content_type="text/plain", status=503)) as ask:
        answer = await ask(stream=StreamLimits(max_events=1, max_seconds=0.05))
    assert (answer.status, answer.body) == (503, b"busy")
    assert "after 0.05 s" in answer.cut


def breaking_off(head: bytes, body: bytes) -> Handler:
    """Send less than the headers announce, and close."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 " + head + b"\r\n\r\n" + body)
        request.transport.close()
        return web.Response()

    return handler


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"201 Created\r\nContent-Length: 100", b'{"id":1'),
        (b"201 Created\r\nTransfer-Encoding: chunked", b'7\r\n{"id":1\r\n'),
    ],
)
async def test_the_error_for_a_truncated_response_contains_its_status(
    head: bytes, body: bytes
) -> None:
    async with answering(breaking_off(head, body)) as ask:
        with pytest.raises(UpstreamError, match=r"201 Created, .* ended after 7") as told:
            await ask()
    assert told.value.reason == "closed"


@pytest.mark.parametrize(
    ("head", "body", "kept"),
    [
        (b"404 Not Found\r\nContent-Length: 100", b"no such", b"no such"),
        (
            b"200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked",
            b"d\r\ndata: 1\n\ndata\r\n",
            b"data: 1\n\n",
        ),
    ],
)
async def test_the_start_of_a_truncated_error_or_stream_is_returned(
    head: bytes, body: bytes, kept: bytes
) -> None:
    async with answering(breaking_off(head, body)) as ask:
        answer = await ask()
    assert answer.body == kept
    assert answer.cut.endswith("where the connection broke")
    assert not answer.problem


async def test_several_content_encoding_headers_are_combined() -> None:
    twice = gzip.compress(gzip.compress(b"{}"))
    lines = b"200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: %d"
    async with answering(breaking_off(lines % len(twice), twice)) as ask:
        assert (await ask()).body == b"{}"


async def test_the_size_limit_applies_to_the_decompressed_response() -> None:
    async def compressed(_: web.Request) -> web.Response:
        return web.Response(
            body=gzip.compress(bytes(1 << 20)), headers={"Content-Encoding": "gzip"}
        )

    async with answering(compressed) as ask:
        assert (await ask(limit=1 << 20)).body == bytes(1 << 20)
        with pytest.raises(UpstreamError, match="larger than"):
            await ask(limit=(1 << 20) - 1)


async def test_repeated_response_headers_are_joined() -> None:
    async def linked(_: web.Request) -> web.Response:
        response = web.Response(text="x")
        response.headers.add("Link", "</a>")
        response.headers.add("Link", "</b>")
        return response

    async with answering(linked) as ask:
        assert (await ask()).header("LINK") == "</a>, </b>"
