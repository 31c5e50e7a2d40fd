"""Bytes of clients on a real connection: h11 reads every served request in the same way."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import h11
from prometheus_client import CollectorRegistry

from fuzz.feed import Feed
from fuzz.loop import at_end, event_loop, run
from mcp_operator.gateway.front.mcp import Front
from mcp_operator.gateway.front.places import Places
from mcp_operator.gateway.lag import LagWatch
from mcp_operator.gateway.protocol.message import HttpRequest, HttpResponse, HttpStream
from support.entries import tool
from support.mcp_http import Server
from support.raw_requests import BODY, PROBE

QUIET_TURNS = 8
"""Turns of the event loop without a byte, after which the response counts as complete."""

STARTS = (
    b"",
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
    b"GET /mcp HTTP/1.1\r\nHost: localhost\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n",
)


@dataclass
class Seen:
    """An endpoint that records its requests."""

    shop: Server
    requests: list[HttpRequest] = field(default_factory=list)

    async def handle(self, http: HttpRequest) -> HttpResponse | HttpStream:
        self.requests.append(http)
        return await self.shop.endpoint.handle(http)

    async def refused(self, http: HttpRequest) -> HttpResponse | None:
        return await self.shop.endpoint.refused(http)

    def metadata(self, http: HttpRequest) -> HttpResponse | None:
        return self.shop.endpoint.metadata(http)


@functools.cache
def front() -> tuple[Front, Seen]:
    """Return a listening front; the connections of the tests bypass its socket."""
    shop = Server(tool("add"))
    seen = Seen(shop)
    lag = LagWatch(CollectorRegistry())
    made = Front(seen, lambda: shop.current.server, Places(), lag)  # type: ignore[arg-type]
    run(made.start("127.0.0.1", 0))
    at_end(lambda: made.stop(0))
    return made, seen


def check(data: bytes) -> None:
    """Send bytes, followed by a valid request."""
    feed = Feed(data)
    start, pieces = feed.pick(STARTS), 1 + feed.byte() % 3
    sent = start + feed.rest()
    _, seen = front()
    seen.requests.clear()
    answers = run(_exchange(sent + PROBE, pieces))
    served = list(seen.requests)
    assert b"HTTP/1.1 500 " not in answers, answers
    assert b"Traceback" not in answers
    _compare(sent + PROBE, served)


async def _exchange(sent: bytes, pieces: int) -> bytes:
    made, _ = front()
    listener = made._listener
    assert listener._opened is not None
    server = listener._opened.server
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.settimeout(0)
    with ours, theirs:
        await listener._connect(theirs, "127.0.0.1", server)
        connection = next(iter(server.connections))
        size = len(sent) // pieces + 1
        answer = bytearray()
        for at in range(0, len(sent), size):
            with contextlib.suppress(OSError):
                await event_loop().sock_sendall(ours, sent[at : at + size])
            await _settle(ours, answer)
        if (transport := connection.transport) is not None:
            transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return bytes(answer)


async def _settle(ours: socket.socket, answer: bytearray) -> None:
    quiet = 0
    while quiet < QUIET_TURNS:
        await asyncio.sleep(0)
        try:
            received = ours.recv(1 << 16)
        except BlockingIOError:
            quiet += 1
            continue
        except ConnectionError:
            return
        if not received:
            return
        answer += received
        quiet = 0


def _compare(sent: bytes, served: list[HttpRequest]) -> None:
    """Parse the same bytes with h11: the served requests are a subsequence of its requests.

    Other requests are refused, or are for other paths; h11 refuses more, because it is stricter.
    """
    read = _read_by_h11(sent)
    for ours in served:
        while (other := next(read, None)) is not None and not _equal(ours, *other):
            pass
        assert other is not None or not _everything_is_read(sent), ours


def _equal(ours: HttpRequest, method: str, target: str, body: bytes) -> bool:
    path = unquote(re.split(r"[?#]", target)[0]).rstrip("/")
    return (ours.method, ours.body) == (method, body) and path.endswith(ours.path.rstrip("/"))


def _everything_is_read(sent: bytes) -> bool:
    """Return whether h11 reads up to the valid request at the end."""
    return any(one[2] == BODY for one in list(_read_by_h11(sent))[-1:])


def _read_by_h11(sent: bytes) -> Iterator[tuple[str, str, bytes]]:
    server = h11.Connection(h11.SERVER)
    server.receive_data(sent)
    try:
        while isinstance(request := server.next_event(), h11.Request):
            body = b""
            while isinstance(event := server.next_event(), h11.Data):
                body += event.data
            if not isinstance(event, h11.EndOfMessage):
                return
            yield request.method.decode(), request.target.decode("latin-1"), body
            server.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
            server.start_next_cycle()
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        return
