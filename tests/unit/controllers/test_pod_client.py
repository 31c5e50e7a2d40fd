"""One request to one pod, which can run any image."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_operator.controllers.confirmations import Answer, AskError, Pod
from mcp_operator.controllers.pod_client import http_ask
from support.raw_server import LOCAL, RawServer


async def ask_a_server_that(answer: web.Response) -> Answer:
    async def catalog(request: web.Request) -> web.Response:
        assert dict(request.query) == {"digest": "abc", "wait": "5"}
        return answer

    app = web.Application()
    app.router.add_get("/catalog", catalog)
    async with TestServer(app) as server:
        assert server.port is not None
        pod = Pod("u", "pod", "127.0.0.1", server.port)
        return await http_ask(pod, "abc")


async def test_the_digest_is_read_from_the_management_port() -> None:
    answer = web.json_response({"digest": "abc", "tools": 3})
    assert await ask_a_server_that(answer) == Answer("abc")


async def test_the_answer_includes_what_the_pod_lacks() -> None:
    answer = web.json_response({"digest": "abc", "lacks": "Secret keys does not exist"})
    assert await ask_a_server_that(answer) == Answer("abc", "Secret keys does not exist")
    away = web.json_response({"digest": "abc", "redis": "Connection refused"})
    assert (await ask_a_server_that(away)).redis == "Connection refused"
    long = web.json_response({"digest": "abc", "lacks": "x" * 5000})
    assert len((await ask_a_server_that(long)).lacks) < 5000


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (web.Response(status=503), "answered with HTTP status 503"),
        (web.Response(text="<html>"), "returned an answer without a catalog"),
    ],
)
async def test_an_invalid_answer_raises_an_error(answer: web.Response, sentence: str) -> None:
    with pytest.raises(AskError, match=sentence):
        await ask_a_server_that(answer)


async def test_an_error_about_a_closed_port_does_not_show_the_address() -> None:
    with pytest.raises(AskError, match=r"^cannot be reached on port 1$"):
        await http_ask(Pod("u", "pod", "127.0.0.1", 1), "abc")


@pytest.mark.looptime
async def test_a_pod_that_does_not_answer_in_time_raises_an_error() -> None:
    def mute() -> asyncio.Protocol:
        return asyncio.Protocol()

    server = await asyncio.get_running_loop().create_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(AskError, match=r"^did not answer in time$"):
            await http_ask(Pod("u", "pod", "127.0.0.1", port), "abc")


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    made = RawServer()
    await made.start()
    yield made
    await made.stop()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

ENDLESS = {
    "headers": (OK, b"".join(b"X-%d: aaaaaaaaaaaaaaaa\r\n" % n for n in range(4000))),
    "one header": (OK + b"X-A: ", b"a" * 65536),
    "the status line": (b"HTTP/1.1 200 ", b"a" * 65536),
    "a body": (OK + b"\r\n", b"a" * 65536),
    "a body of a length": (OK + b"Content-Length: 99999999999\r\n\r\n", b"a" * 65536),
    "an answer to come": (b"", b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" * 1000),
    "tiny chunks": (CHUNKED, b"1\r\nx\r\n" * 10_000),
    "an extension of a chunk": (CHUNKED + b"1;", b"x" * 65536),
    "trailers": (CHUNKED + b"1\r\nx\r\n0\r\n", b"X-T: aaaaaaa\r\n" * 4000),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_answer_is_cut_off_before_the_timeout(
    server: RawServer, what: str
) -> None:
    begin, more = ENDLESS[what]
    asking = asyncio.create_task(http_ask(Pod("u", "pod", LOCAL, server.port), "abc"))
    peer = await server.accept()
    await peer.begun()
    peer.send(begin)
    flooding = asyncio.create_task(peer.flood(more))
    with pytest.raises(AskError, match=r"^returned an answer without a catalog$"):
        await asking
    await flooding
