"""The pages for probes and metrics, asked as clients do and as they should not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.pages import PATIENCE, Page, PageServer, Question
from support.network import free_port

LOCAL = "127.0.0.1"


def echo(question: Question) -> Page:
    return Page(f"{question.path} {dict(question.query)} {question.accept}".encode())


def broken(_: Question) -> Page:
    raise ZeroDivisionError


PAGES = {"/echo": echo, "/broken": broken}


@pytest.fixture
async def server() -> AsyncIterator[PageServer]:
    async with PageServer(0, PAGES, host=LOCAL) as server:
        yield server


@asynccontextmanager
async def connection(
    port: int, host: str = LOCAL
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def raw(server: PageServer, sent: bytes) -> str:
    """Send some bytes, and return all that comes until the server closes."""
    async with connection(await server.port()) as (reader, writer):
        writer.write(sent)
        return (await reader.read()).decode()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


HOSTS = (LOCAL, "::1") if has_ipv6() else (LOCAL,)


@pytest.mark.parametrize("host", HOSTS)
async def test_without_a_host_addresses_of_both_families_are_listened_on(host: str) -> None:
    port = free_port()
    async with PageServer(port, PAGES), connection(port, host) as (reader, writer):
        writer.write(b"GET /echo HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")


async def test_a_page_is_told_path_query_and_what_is_accepted(server: PageServer) -> None:
    url = f"http://{LOCAL}:{await server.port()}/echo?verbose&x=1&x=2"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Accept": "text/html"}) as answer,
    ):
        assert await answer.text() == "/echo {'verbose': [''], 'x': ['1', '2']} text/html"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_head_gives_what_get_would_without_the_body(server: PageServer) -> None:
    url = f"http://{LOCAL}:{await server.port()}/echo"
    async with aiohttp.ClientSession() as session, session.head(url) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, "12")
        assert await answer.read() == b""


async def test_a_proxy_may_ask_for_a_whole_url(server: PageServer) -> None:
    answer = await raw(server, b"GET http://somewhere/echo?verbose HTTP/1.1\r\n\r\n")
    assert answer.endswith("\r\n\r\n/echo {'verbose': ['']} ")


async def test_head_gets_no_body_of_an_error_either(server: PageServer) -> None:
    answer = await raw(server, b"HEAD /nothing HTTP/1.1\r\n\r\n")
    assert answer.startswith("HTTP/1.1 404 Not Found\r\n")
    assert answer.endswith("\r\n\r\n")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("GET /nothing HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET /broken HTTP/1.1\r\n\r\n", "500 Internal Server Error"),
        ("POST /echo HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("GET /echo\r\n\r\n", "400 Bad Request"),
        ("GET http://[/echo HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("\x16\x03\x01\r\n\r\n", "400 Bad Request"),
        (f"GET /echo HTTP/1.1\r\nX: {'x' * 20_000}\r\n\r\n", "431 Request Header Fields Too Large"),
    ],
)
async def test_what_cannot_be_answered_is_said_so(
    server: PageServer, asked: str, answer: str
) -> None:
    assert (await raw(server, asked.encode("latin-1"))).startswith(f"HTTP/1.1 {answer}\r\n")
    assert (await raw(server, b"GET /echo HTTP/1.0\r\n\r\n")).startswith("HTTP/1.1 200 OK")


async def test_a_client_that_leaves_is_no_matter(
    server: PageServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with connection(await server.port()) as (_, writer):
        writer.write(b"GET /ec")
        writer.transport.abort()
    assert (await raw(server, b"GET /echo HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200 OK")
    assert caplog.text == ""


@pytest.mark.looptime
async def test_a_client_that_asks_nothing_is_left_after_a_while(server: PageServer) -> None:
    before = asyncio.get_running_loop().time()
    assert await raw(server, b"GET /ec") == ""
    assert asyncio.get_running_loop().time() - before == pytest.approx(PATIENCE)


async def test_the_end_of_the_server_is_the_end_of_its_connections() -> None:
    async with AsyncExitStack() as stack:
        async with PageServer(0, PAGES, host=LOCAL) as server:
            reader, writer = await stack.enter_async_context(connection(await server.port()))
            writer.write(b"GET /ec")
            await raw(server, b"GET /echo HTTP/1.1\r\n\r\n")  # so the other one is accepted, too
        assert await reader.read() == b""


async def test_a_port_that_is_taken_is_an_error_with_a_way_out(server: PageServer) -> None:
    port = await server.port()
    with pytest.raises(OperatorError, match=rf"cannot listen on {LOCAL}:{port}: .*another port"):
        async with PageServer(port, PAGES, host=LOCAL):
            pass
