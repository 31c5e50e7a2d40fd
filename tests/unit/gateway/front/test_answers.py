"""Complete responses have exactly the bytes that aiohttp would send."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from aiohttp import web

from mcp_operator.gateway.front.answer import Answer
from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.protocol.message import JSON, HttpResponse
from support.waiting import hang_guard

ANSWERS = {
    "a body": HttpResponse(200, b'{"a":1}', JSON),
    "no body": HttpResponse(202),
    "no content": HttpResponse(204),
    "a refusal": HttpResponse(405, headers={"allow": "POST"}),
    "an error": HttpResponse(503, b"{}", {**JSON, "retry-after": "1"}),
}
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
"""Its response closes a keep-alive connection, and shows where the previous response ended."""

REQUESTS = {
    "POST": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + LAST,
    "HEAD": b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + LAST,
    "GET, connection: close": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET, HTTP/1.0": b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    "GET, HTTP/1.0, keep-alive": b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
    + LAST,
}


def aiohttp_answer(answer: HttpResponse) -> web.StreamResponse:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


async def sent(request: bytes, answer: HttpResponse, how: Callable[..., web.StreamResponse]) -> str:
    async def handle(asked: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="last") if asked.path == "/last" else how(answer)

    listener = Listener(handle)
    await listener.start("127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(request)
        async with hang_guard():
            text = (await reader.read()).decode()
        writer.close()
    finally:
        await listener.stop(0)
    dated, times = re.subn(r"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "Date: now", text)
    assert times == text.count("HTTP/1.1 ") + text.count("HTTP/1.0 ")
    return dated


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("request_", REQUESTS)
async def test_a_response_has_the_bytes_that_aiohttp_would_send(request_: str, answer: str) -> None:
    ours = await sent(REQUESTS[request_], ANSWERS[answer], Answer)

    assert ours == await sent(REQUESTS[request_], ANSWERS[answer], aiohttp_answer)


async def test_a_response_with_a_line_break_in_a_header_is_not_sent() -> None:
    answer = HttpResponse(200, b"{}", {"a": "b\r\nc: d"})

    assert await sent(REQUESTS["POST"], answer, Answer) == ""
