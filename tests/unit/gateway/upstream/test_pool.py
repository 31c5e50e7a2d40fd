"""The pool of connections to backends: which call gets a response, and when they close."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.pool import pool
from mcp_operator.gateway.upstream.pool.head import BadRequestError, field_line, request_head
from support.backend_peer import FOREIGN, LIMIT, MINE, Asking, answer, asking
from support.certificates import Authority
from support.raw_server import OK
from support.waiting import HANG_SECONDS, eventually


@pytest.fixture
async def backend(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asking]:
    monkeypatch.setattr(pool, "IDLE_CONNECTION", HANG_SECONDS)  # no connection expires
    async with asking() as started:
        yield started


POISONS = {
    "an unsolicited response": FOREIGN,
    "the start of a response": FOREIGN[:20],
    "an interim response": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a single byte": b"x",
    "a line break": b"\r\n",
    "not HTTP": b"{}",
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
async def test_bytes_on_an_idle_connection_reach_no_call(backend: Asking, poison: bytes) -> None:
    call = backend.ask()
    first = await backend.peer()
    await first.answer()
    await call
    first.send(poison)  # the kernel has received it; the event loop has not read it yet
    call = backend.ask()
    second = await backend.peer()
    await second.answer(MINE)
    assert (await call).body == b"mine"
    assert await first.left() == b""


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
async def test_bytes_on_an_idle_connection_close_it(backend: Asking, poison: bytes) -> None:
    call = backend.ask()
    first = await backend.peer()
    await first.answer()
    await call
    first.send(poison)
    assert await first.left() == b""  # closed before the next call


@pytest.mark.parametrize("poison", [FOREIGN, FOREIGN[:20], b"x", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_bytes_after_a_response_reach_no_call(backend: Asking, poison: bytes) -> None:
    call = backend.ask()
    first = await backend.peer()
    await first.answer(OK + poison)
    assert (await call).body == b"ok"
    assert await first.left() == b""
    call = backend.ask()
    await (await backend.peer()).answer(MINE)
    assert (await call).body == b"mine"


async def test_a_response_before_the_whole_request_is_sent_closes_the_connection(
    backend: Asking,
) -> None:
    call = backend.ask("POST", body=b"x" * (32 << 20))
    peer = await backend.peer()
    await peer.begun()
    peer.send(OK)
    assert (await call).body == b"ok"
    assert len(await peer.left()) < 32 << 20


@pytest.mark.parametrize(
    "setting",
    [("IDLE_CONNECTION", 0.0), ("MAX_AGE", -1.0), ("MAX_IDLE", 0), ("MAX_IDLE_IN_ALL", 0)],
)
async def test_idle_connections_over_a_limit_are_closed(
    backend: Asking, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, float]
) -> None:
    monkeypatch.setattr(pool, *setting)
    call = backend.ask()
    peer = await backend.peer()
    await peer.answer()
    await call
    assert await peer.left() == b""


async def test_a_connection_that_was_closed_while_idle_is_not_used(backend: Asking) -> None:
    call = backend.ask("POST")
    first = await backend.peer()
    await first.answer()
    await call
    first.close()
    call = backend.ask("POST")
    await (await backend.peer()).answer(MINE)
    assert (await call).body == b"mine"


async def test_the_most_recently_used_connection_is_used_next(backend: Asking) -> None:
    calls = [backend.ask(), backend.ask()]
    peers = [await backend.peer(), await backend.peer()]
    for peer in peers:
        await peer.answer()
    await asyncio.gather(*calls)
    call = backend.ask(target="/third")
    assert b"/third" in await peers[1].answer()
    await call


async def test_cancelling_a_call_on_a_reused_connection_closes_it(backend: Asking) -> None:
    call = backend.ask()
    peer = await backend.peer()
    await peer.answer()
    await call
    call = backend.ask()
    await peer.receive()
    call.cancel()
    assert await peer.left() == b""
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_closing_the_client_closes_its_connections() -> None:
    async with asking() as started:
        calls = [started.ask(), started.ask()]
        peers = [await started.peer(), await started.peer()]
        await peers[0].answer()
        await calls[0]
        await peers[1].receive()
        await started.upstream.__aexit__()
        with pytest.raises(UpstreamError, match="closed the connection"):
            await calls[1]
        assert [await peer.left() for peer in peers] == [b"", b""]


@pytest.fixture
async def tls_backend(tmp_path: Path) -> AsyncIterator[Asking]:
    authority = Authority(tmp_path, "ca")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("backend", hosts=("be.demo.svc",)))
    async with asking(context, Tls(ca=authority.certificate.read_bytes())) as started:
        yield started


async def test_over_tls_connections_are_reused_and_unexpected_bytes_reach_no_call(
    tls_backend: Asking,
) -> None:
    call = tls_backend.ask()
    first = await tls_backend.peer()
    await first.answer()
    await call
    call = tls_backend.ask()
    await first.answer()
    await call
    first.send(FOREIGN)
    call = tls_backend.ask()
    await (await tls_backend.peer()).answer(MINE)
    assert (await call).body == b"mine"


async def test_bytes_buffered_by_tls_after_a_response_reach_no_call(
    tls_backend: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = memoryview(bytearray(len(OK)))  # so that a response fills it
    monkeypatch.setattr(tls_backend.upstream._pool, "_received", received)

    async def next_call() -> Answer:
        while not tls_backend.upstream._pool._idle and not call.done():  # noqa: ASYNC110 - each iteration
            await asyncio.sleep(0)
        request = Request("GET", "https", "be.demo.svc", 80, "/")
        return await tls_backend.upstream.send(request, tls_backend.tls, LIMIT)

    async def answered() -> None:
        await (await tls_backend.peer()).answer(MINE)

    call = tls_backend.ask()
    following = asyncio.create_task(next_call())
    await (await tls_backend.peer()).answer(OK + FOREIGN)
    await call
    answering = asyncio.create_task(answered())
    assert (await following).body == b"mine"
    await answering


async def test_over_tls_a_response_before_the_whole_request_closes_the_connection(
    tls_backend: Asking,
) -> None:
    call = tls_backend.ask("POST", body=b"x" * (32 << 20))
    peer = await tls_backend.peer()
    await peer.begun()
    peer.send(OK)
    assert (await call).body == b"ok"
    call = tls_backend.ask()
    await (await tls_backend.peer()).answer(MINE)
    assert (await call).body == b"mine"


async def test_a_response_without_a_length_is_whole_only_if_tls_is_shut_down(
    tls_backend: Asking,
) -> None:
    ended = await tls_backend.exchange(answer(body="whole"))
    assert isinstance(ended, Answer)
    assert ended.body == b"whole"
    call = tls_backend.ask()
    peer = await tls_backend.peer()
    await peer.answer(answer(body="half of it"))
    await peer.cut()
    with pytest.raises(UpstreamError, match="ended after 10 bytes"):
        await call


async def test_requests_with_different_tls_settings_share_no_connection(
    tls_backend: Asking,
) -> None:
    call = tls_backend.ask()
    await (await tls_backend.peer()).answer()
    await call
    tls_backend.tls = Tls(verify=False)
    call = tls_backend.ask()
    await (await tls_backend.peer()).answer(MINE)
    assert (await call).body == b"mine"


@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        ("GET", "/a b", ("X", "y")),
        ("GET", "/a\r\nX: y", ("X", "y")),
        ("GET", "http://other/", ("X", "y")),
        ("GET", "/ü", ("X", "y")),
        ("GET /", "/", ("X", "y")),
        ("get", "/", ("X", "y")),
        ("GET", "/", ("X", "y\r\nZ: z")),
        ("GET", "/", ("X", "y\nz")),
        ("GET", "/", ("X", "y\0")),
        ("GET", "/", ("X", "ü")),
        ("GET", "/", ("X ", "y")),
        ("GET", "/", ("X:", "y")),
        ("GET", "/", ("", "y")),
        ("GET", "/", ("Content-Length", "1")),
        ("GET", "/", ("transfer-encoding", "chunked")),
        ("GET", "/", ("Connection", "close")),
    ],
)
def test_a_part_of_a_request_with_a_line_break_or_invalid_text_is_refused(
    method: str, target: str, header: tuple[str, str]
) -> None:
    with pytest.raises(BadRequestError):
        request_head(method, target, [field_line(*header)], None)


async def test_closed_connections_leave_nothing_behind(backend: Asking) -> None:
    for _ in range(3):
        await backend.exchange(OK)
    kept = backend.upstream._pool

    async def left() -> tuple[int, int, int]:
        return len(kept._open), len(kept._idle), kept._idle_in_all

    await eventually(left, (0, 0, 0))
