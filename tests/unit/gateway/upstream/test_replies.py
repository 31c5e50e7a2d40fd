"""Which responses of backends are valid: unambiguous ones that end."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator

import pytest

from mcp_operator.gateway import exact
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import UpstreamError
from mcp_operator.gateway.upstream.content import tool_result
from mcp_operator.gateway.upstream.pool.reply import Reply
from support.backend_peer import CHUNKED, FOREIGN, MINE, Asking, answer, asking
from support.entries import tool
from support.raw_server import OK


@pytest.fixture
async def backend() -> AsyncIterator[Asking]:
    async with asking() as started:
        yield started


REFUSED = {
    "length and coding": answer("Content-Length: 5", CHUNKED, body="0\r\n\r\n"),
    "coding and length": answer(CHUNKED, "Content-Length: 5", body="0\r\n\r\n"),
    "a length of many digits": answer("Content-Length: " + "0" * 5000 + "2", body="ok"),
    "two lengths": answer("Content-Length: 5", "Content-Length: 2", body="hello"),
    "two equal lengths": answer("Content-Length: 2", "Content-Length: 2", body="ok"),
    "a list of lengths": answer("Content-Length: 2, 2", body="ok"),
    "a signed length": answer("Content-Length: +2", body="ok"),
    "a negative length": answer("Content-Length: -2", body="ok"),
    "a hexadecimal length": answer("Content-Length: 0x2", body="ok"),
    "a length with a space": answer("Content-Length: 1 1", body="hello hello"),
    "a length beyond 64 bits": answer(f"Content-Length: {1 << 64}", body="ok"),
    "an empty length": answer("Content-Length:", body="ok"),
    "a name with a space": answer("Content-Length : 2", body="ok"),
    "a folded header": answer("X: a", " b", "Content-Length: 2", body="ok"),
    "a folded length": answer("Content-Length:", " 2", body="ok"),
    "a folded coding": answer("Transfer-Encoding:", " chunked", body="0\r\n\r\n"),
    "no colon": answer("Content-Length 2", body="ok"),
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "one bare line feed": b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 2\r\n\r\nok",
    "a head ended by line feeds": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 2\r\n\r\nok",
    "a null in a header": answer("X: a\0b", "Content-Length: 2", body="ok"),
    "a null in a name": answer("X\0: a", "Content-Length: 2", body="ok"),
    "a coding besides chunked": answer("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"),
    "a coding after chunked": answer("Transfer-Encoding: chunked, gzip", body="0\r\n\r\n"),
    "an unknown coding": answer("Transfer-Encoding: xchunked", body="0\r\n\r\n"),
    "chunked twice": answer("Transfer-Encoding: chunked, chunked", body="0\r\n\r\n"),
    "two codings": answer(CHUNKED, CHUNKED, body="0\r\n\r\n"),
    "identity": answer("Transfer-Encoding: identity", body="ok"),
    "chunks in HTTP/1.0": answer(CHUNKED, body="0\r\n\r\n", version="1.0"),
    "a size that is not a number": answer(CHUNKED, body="zz\r\nok\r\n0\r\n\r\n"),
    "a size with a prefix": answer(CHUNKED, body="0x2\r\nok\r\n0\r\n\r\n"),
    "a signed size": answer(CHUNKED, body="-2\r\nok\r\n0\r\n\r\n"),
    "a size beyond 64 bits": answer(CHUNKED, body="fffffffffffffffff\r\nok\r\n0\r\n\r\n"),
    "a size with a space": answer(CHUNKED, body="2 \r\nok\r\n0\r\n\r\n"),
    "a size ended by a line feed": answer(CHUNKED, body="2\nok\r\n0\r\n\r\n"),
    "a chunk longer than its size": answer(CHUNKED, body="2\r\nokay\r\n0\r\n\r\n"),
    "a chunk without its end": answer(CHUNKED, body="2\r\nok0\r\n\r\n"),
    "an extension with a line feed": answer(CHUNKED, body="2;a=b\nok\r\n0\r\n\r\n"),
    "no last chunk": answer(CHUNKED, body="2\r\nok\r\n"),
    "a length in an interim response": answer("Content-Length: 2", status="103 E", body="ok") + OK,
    "a coding in an interim response": answer(CHUNKED, status="100 C", body="0\r\n\r\n") + OK,
    "another protocol": answer("Upgrade: h2c", "Connection: Upgrade", status="101 S"),
    "HTTP/0.9": b"<html>hello</html>",
    "HTTP/2": answer("Content-Length: 2", body="ok", version="2.0"),
    "HTTP/1.2": answer("Content-Length: 2", body="ok", version="1.2"),
    "HTTP/11": answer("Content-Length: 2", body="ok", version="11"),
    "another protocol's name": b"HTTQ/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "ICY": b"ICY 200 OK\r\n\r\n",
    "a status of two digits": answer("Content-Length: 2", body="ok", status="20 OK"),
    "a status of four digits": answer("Content-Length: 2", body="ok", status="2000 OK"),
    "a status below 100": answer("Content-Length: 2", body="ok", status="099 OK"),
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "another server's greeting": b"SSH-2.0-OpenSSH_9.2\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x16",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "less than announced": answer("Content-Length: 3", body="ok"),
    "too many headers": answer(*(f"X{n}: y" for n in range(257)), "Content-Length: 0"),
    "headers too long": answer(*(f"X{n}: {'y' * 8000}" for n in range(9)), "Content-Length: 0"),
    "a header too long": answer(f"X: {'y' * 70_000}", "Content-Length: 0"),
    "an extension too long": answer(CHUNKED, body=f"2;a={'y' * 70_000}\r\nok\r\n"),
    "trailers too long": answer(CHUNKED, body="0\r\n" + f"X: {'y' * 8000}\r\n" * 9 + "\r\n"),
    "too many trailers": answer(CHUNKED, body="2\r\nok\r\n0\r\n" + "X: y\r\n" * 257 + "\r\n"),
    "too many interim responses": answer(status="103 Early Hints") * 17 + OK,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
async def test_an_ambiguous_or_invalid_response_is_refused(backend: Asking, data: bytes) -> None:
    failure = await backend.exchange(data)
    assert isinstance(failure, UpstreamError), failure
    assert failure.reason in {"closed", "protocol"}
    call = backend.ask()
    await (await backend.peer()).answer(MINE)
    assert (await call).body == b"mine"


TAKEN: dict[str, tuple[bytes, int, bytes]] = {
    "a length": (OK, 200, b"ok"),
    "to the end": (answer("X: y", body="ok"), 200, b"ok"),
    "HTTP/1.0": (answer("Content-Length: 2", body="ok", version="1.0"), 200, b"ok"),
    "chunks": (answer(CHUNKED, body="1\r\no\r\n1\r\nk\r\n0\r\n\r\n"), 200, b"ok"),
    "chunks with extensions": (answer(CHUNKED, body='2;a="b"\r\nok\r\n0\r\n\r\n'), 200, b"ok"),
    "chunks with trailers": (answer(CHUNKED, body="2\r\nok\r\n0\r\nX: y\r\n\r\n"), 200, b"ok"),
    "CHUNKED": (answer("transfer-encoding:CHUNKED", body="2\r\nok\r\n0\r\n\r\n"), 200, b"ok"),
    "interim responses": (answer("X: a", status="103 E") + answer(status="100 C") + OK, 200, b"ok"),
    "no reason": (answer("Content-Length: 2", body="ok", status="200"), 200, b"ok"),
    "an unknown status": (answer("Content-Length: 2", body="ok", status="799 Odd"), 799, b"ok"),
    "no content": (answer(status="204 No Content"), 204, b""),
    "no content, with a length of 0": (answer("Content-Length: 0", status="204 N"), 204, b""),
    "not modified": (answer("Content-Length: 9", status="304 Not Modified"), 304, b""),
    "a byte that is not ASCII": (answer("X: \xfc", "Content-Length: 2", body="ok"), 200, b"ok"),
    "an empty header": (answer("X:", "Content-Length: 2", body="ok"), 200, b"ok"),
}


@pytest.mark.parametrize(("data", "status", "body"), TAKEN.values(), ids=TAKEN)
async def test_an_unusual_but_valid_response_is_accepted(
    backend: Asking, data: bytes, status: int, body: bytes
) -> None:
    taken = await backend.exchange(data)
    assert isinstance(taken, Answer), taken
    assert (taken.status, taken.body) == (status, body)


class Unplugged:
    """A source of bytes that only records whether it was aborted."""

    def __init__(self) -> None:
        self.is_aborted = False

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def abort(self) -> None:
        self.is_aborted = True


async def read_in(pieces: list[bytes]) -> tuple[int, bytes, bool] | str:
    """Read a response in pieces; return status, body, and whether another one can follow."""
    source = Unplugged()
    reply = Reply(source, "GET")
    for piece in pieces:
        reply.feed(piece)
        if reply.is_whole or source.is_aborted:
            break
    reply.end(None, is_clean=True)
    try:
        await reply.head()
        body = b""
        while piece := await reply.read():
            body += piece
    except ConnectionError as error:
        return type(error).__name__
    return reply.status, body, reply.may_continue


SMALL = {
    name: data
    for name, data in (REFUSED | {name: data for name, (data, _, _) in TAKEN.items()}).items()
    if len(data) < 300
}


@pytest.mark.parametrize("data", SMALL.values(), ids=SMALL)
async def test_a_response_is_read_the_same_in_one_piece_or_in_many(data: bytes) -> None:
    whole = await read_in([data])
    assert await read_in([data[n : n + 1] for n in range(len(data))]) == whole
    for cut in range(len(data)):
        assert await read_in([data[:cut], data[cut:]]) == whole


@pytest.mark.parametrize("cut", range(len(OK), len(OK + FOREIGN)))
async def test_no_byte_after_a_response_is_read_as_part_of_it(cut: int) -> None:
    both = OK + FOREIGN
    assert await read_in([both[:cut], both[cut:]]) == (200, b"ok", cut == len(OK))


async def test_headers_of_interim_responses_and_trailers_are_dropped(backend: Asking) -> None:
    data = answer("X: interim", status="103 E") + answer(
        CHUNKED, "Y:  1\t ", body="0\r\nX: trailer\r\n\r\n"
    )
    taken = await backend.exchange(data)
    assert isinstance(taken, Answer)
    assert taken.headers == (("transfer-encoding", "chunked"), ("y", "1"))


async def test_a_response_to_head_has_no_body(backend: Asking) -> None:
    call = backend.ask("HEAD")
    peer = await backend.peer()
    await peer.answer(FOREIGN)  # with the body that HEAD must not have
    answered = await call
    assert (answered.status, answered.body) == (200, b"")
    assert await peer.left() == b""


FLOODS = {
    "interim responses": (b"", b"HTTP/1.1 103 E\r\nLink: </a>; rel=preload\r\n\r\n" * 1000),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65536),
    "a name": (b"HTTP/1.1 200 OK\r\n", b"y" * 65536),
    "a reason": (b"HTTP/1.1 200 ", b"y" * 65536),
    "empty lines": (b"", b"\r\n" * 1000),
    "an extension": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;", b"y" * 65536),
    "a size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    "trailers": (answer(CHUNKED, body="0\r\n"), b"X: y\r\n" * 1000),
    "tiny chunks": (answer(CHUNKED), b"1\r\nx\r\n" * 10_000),
    "tiny chunks with extensions": (answer(CHUNKED), b"1;yyyyyyyy\r\nx\r\n" * 5000),
}


@pytest.mark.parametrize(("begin", "flood"), FLOODS.values(), ids=FLOODS)
async def test_a_response_that_never_ends_is_refused_in_bounded_memory(
    backend: Asking, begin: bytes, flood: bytes
) -> None:
    tracemalloc.start()
    try:
        call = backend.ask()
        peer = await backend.peer()
        await peer.answer(begin)
        await peer.flood(flood)  # until the client has closed
        with pytest.raises(UpstreamError) as caught:
            await call
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason in {"protocol", "too_large"}
    assert peak < 8 << 20


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: application/x-\xff",
        "Content-Type: audio/\xff",
        "Content-Type: text/plain; charset=\xff",
        "Content-Encoding: gzip, \xff",
    ],
)
async def test_a_response_with_headers_that_are_not_text_becomes_a_valid_result(
    backend: Asking, header: str
) -> None:
    found = await backend.exchange(answer(header, "Content-Length: 4", body="\x1f\x8b\xff\0"))
    assert isinstance(found, Answer)
    result = tool_result(tool(), found, lambda _: [])
    assert exact.loads(exact.dumps(list(result.content)).decode()) == list(result.content)
