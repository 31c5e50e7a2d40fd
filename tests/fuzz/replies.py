"""Bytes of backend responses: read at once and in pieces, by the pool and by h11."""

from __future__ import annotations

from dataclasses import dataclass

import h11

from fuzz.feed import Feed
from fuzz.loop import run
from mcp_operator.gateway.upstream.pool.reply import MAX_HEADERS, Reply
from mcp_operator.gateway.upstream.reading import (
    BrokenOffError,
    StreamLimits,
    TooLargeError,
    read_answer,
)

METHODS = ("GET", "POST", "HEAD")
LIMITS = (0, 1, 10, 100_000)
EVENTS = (None, 1, 3)
STARTS = (
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
    b"HTTP/1.0 404 Not Found\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n",
)


class Wire:
    """A connection that only records whether it was aborted."""

    aborted = False

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


@dataclass(frozen=True)
class Outcome:
    """The outcome of reading some bytes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_whole: bool


def check(data: bytes) -> None:
    """Read a response in several ways, which must agree."""
    feed = Feed(data)
    method, size, is_clean = feed.pick(METHODS), 1 + feed.byte() % 16, feed.byte() % 2 == 0
    limit, events, start = feed.pick(LIMITS), feed.pick(EVENTS), feed.pick(STARTS)
    sent = start + feed.rest()
    whole = outcome(method, [sent], is_clean=is_clean)
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    assert whole == outcome(method, pieces, is_clean=is_clean)
    assert len(whole.headers) <= MAX_HEADERS
    for name, value in whole.headers:
        assert name == name.lower()
        assert not {"\r", "\n", "\0"} & set(name + value)
    if whole.is_whole and method != "HEAD":
        _compare(method, sent, whole)
    run(_read(method, pieces, limit, events, is_clean=is_clean))


def outcome(method: str, pieces: list[bytes], *, is_clean: bool) -> Outcome:
    """Feed pieces one after the other, then the end of the connection."""
    reply = _fed(method, pieces, is_clean=is_clean)
    status = reply.status if reply.is_whole else 0
    headers = tuple(reply.headers) if reply.is_whole else ()
    body = b"".join(reply._pieces) if reply.is_whole else b""
    return Outcome(status, headers, body, reply.is_whole)


def _fed(method: str, pieces: list[bytes], *, is_clean: bool) -> Reply:
    wire = Wire()
    reply = Reply(wire, method)
    for piece in pieces:
        if reply.is_whole or wire.aborted:
            break  # the pool discards what follows
        reply.feed(piece)
    if not reply.is_whole and not wire.aborted:
        reply.end(None, is_clean=is_clean)
    return reply


def _compare(method: str, sent: bytes, ours: Outcome) -> None:
    """Compare the end of the response with h11, unless h11 refuses it, because it is stricter."""
    other = h11.Connection(h11.CLIENT)
    other.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    other.send(h11.EndOfMessage())
    body, status = b"", 0
    try:
        other.receive_data(sent)
        other.receive_data(b"")
        while True:
            event = other.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                return
    except h11.RemoteProtocolError:
        return
    assert (ours.status, ours.body) == (status, body)


async def _read(
    method: str, pieces: list[bytes], limit: int, events: int | None, *, is_clean: bool
) -> None:
    """Read it as a call does: it never exceeds the limit, and has one kind of error."""
    reply = _fed(method, pieces, is_clean=is_clean)
    try:
        await reply.head()
        answer = await read_answer(reply, limit, StreamLimits(max_events=events))
    except (TooLargeError, BrokenOffError, ConnectionError):
        return
    assert len(answer.body) <= limit
    assert answer.status >= 100
