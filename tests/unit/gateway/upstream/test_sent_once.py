"""A request is sent once, for any method and any failure of the backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from mcp_operator.gateway.upstream.client import UpstreamError
from mcp_operator.gateway.upstream.pool import pool
from support.backend_peer import Asking, asking
from support.raw_server import Peer
from support.waiting import HANG_SECONDS

METHODS = {
    "GET": None,
    "HEAD": None,
    "OPTIONS": None,
    "DELETE": None,
    "POST": b"{}",
    "PUT": b"{}",
    "PATCH": b"{}",
}

MOMENTS = {
    "before the request is read": None,
    "after the request": b"",
    "in the status line": b"HTTP/1.1 2",
    "in the headers": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX",
    "after an interim response": b"HTTP/1.1 100 Continue\r\n\r\n",
    "after a byte that is not HTTP": b"\0",
}
"""When the backend closes the connection, and what it has sent by then."""

IN_THE_BODY = {
    "after the headers": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf",
    "before the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
}
"""The same for responses with a body, which all methods but HEAD have."""

ENDS = {"closed": Peer.close, "reset": Peer.reset}


@pytest.fixture
async def backend(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asking]:
    monkeypatch.setattr(pool, "IDLE_CONNECTION", HANG_SECONDS)  # no connection expires
    async with asking() as started:
        yield started


def cases() -> list[tuple[str, bytes | None]]:
    return [
        (method, sent)
        for method in METHODS
        for sent in (*MOMENTS.values(), *(IN_THE_BODY.values() if method != "HEAD" else ()))
    ]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "reused"])
@pytest.mark.parametrize(("method", "sent"), cases())
async def test_a_call_to_a_failing_backend_is_sent_once(
    backend: Asking, method: str, sent: bytes | None, end: Callable[[Peer], None], *, is_kept: bool
) -> None:
    peer = None
    if is_kept:
        first = backend.ask("POST", "/first", b"{}")
        peer = await backend.peer()
        await peer.answer()
        await first
    call = backend.ask(method, "/second", METHODS[method])
    peer = peer or await backend.peer()
    if sent is not None:
        await peer.receive()
        peer.send(sent)
    else:
        await peer.begun()  # the kernel has received it, and the backend does not read the body
    end(peer)
    again = asyncio.create_task(backend.peer())
    done, _ = await asyncio.wait({call, again}, return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    assert done == {call}, "the request was sent again"
    with pytest.raises(UpstreamError) as caught:
        await call
    assert caught.value.reason in {"closed", "protocol"}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_call_after_an_idle_connection_was_closed_opens_a_new_one(
    backend: Asking, method: str, end: Callable[[Peer], None]
) -> None:
    first = backend.ask("POST", "/first", b"{}")
    peer = await backend.peer()
    await peer.answer()
    await first
    end(peer)  # the kernel has noticed it; the event loop has not yet
    call = backend.ask(method, "/second", METHODS[method])
    assert b"/second" in await (await backend.peer()).answer()
    assert (await call).status == 200
