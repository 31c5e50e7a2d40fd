"""One connection and the answers that come over it."""

from __future__ import annotations

import asyncio
import os

import pytest

from mcp_operator.core.connections import Connections, Limits
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.http1 import _AHEAD, _PART, Answer
from support.raw_server import OK, Peer, RawServer, asking, exchange
from support.waiting import eventually

ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

UNMARKED = b"HTTP/1.1 200 OK\r\n\r\n"


async def ask(
    connections: Connections, server: RawServer, *parts: bytes, limits: Limits | None = None
) -> tuple[Answer, Peer]:
    """Make a request on a new connection and have its answer begin so."""
    task = asking(connections, limits=limits or Limits())
    peer = await server.accept()
    await peer.answer(b"".join(parts))
    return await task, peer


def sized(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size


async def received(answer: Answer, size: int) -> None:
    """Wait until so much of a body is here, which nobody has taken."""

    async def here() -> int:
        return sum(map(len, answer._parts))

    await eventually(here, size)


async def paused(answer: Answer) -> None:
    """Wait until no more is received."""

    async def state() -> bool:
        return answer._connection.is_paused

    await eventually(state, expected=True)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole",
        ENDLESS + b"2\r\nwh\r\n3;x=y\r\nole\r\n0\r\n\r\n",
    ],
    ids=["length", "chunked"],
)
async def test_a_body_ends_where_the_server_says(
    connections: Connections, server: RawServer, answer: bytes
) -> None:
    got, _ = await ask(connections, server, answer)
    assert got.status == 200
    assert await got.read() == b"whole"
    assert await got.read() == b"whole"


async def test_a_body_without_a_length_ends_with_the_connection(
    connections: Connections, server: RawServer
) -> None:
    answer, peer = await ask(connections, server, UNMARKED, b"who")
    reading = asyncio.create_task(answer.read())
    peer.send(b"le")
    await received(answer, 5)
    assert not reading.done()
    peer.close()
    assert await reading == b"whole"


@pytest.mark.parametrize("status", [204, 304])
async def test_some_answers_have_no_body(
    connections: Connections, server: RawServer, status: int
) -> None:
    answer, _ = await ask(connections, server, b"HTTP/1.1 %d Nothing\r\n\r\n" % status)
    assert answer.status == status
    assert await answer.read() == b""
    assert [part async for part in answer.stream()] == []


async def test_a_provisional_answer_is_passed_over(
    connections: Connections, server: RawServer
) -> None:
    provisional = b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
    answer, _ = await ask(connections, server, provisional, provisional, OK)
    assert answer.status == 200
    assert answer.headers == {"content-length": "2"}
    assert await answer.read() == b"ok"


async def test_headers_are_named_in_lower_case_and_repeated_ones_are_a_list(
    connections: Connections, server: RawServer
) -> None:
    head = b"HTTP/1.1 429 Busy\r\nWARNING: a\r\nX-None:\r\nWarning: b\r\nRetry-After: \t7\r\n"
    answer, _ = await ask(connections, server, head, b"Content-Length: 0\r\n\r\n")
    assert answer.status == 429
    expected = {"warning": "a, b", "x-none": "", "retry-after": "7", "content-length": "0"}
    assert answer.headers == expected


@pytest.mark.parametrize(
    "junk",
    [
        b"220 mail.example ESMTP\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 20x\r\n",
        b"HTTP/1.1 101 Other\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_an_error(
    connections: Connections, server: RawServer, junk: bytes
) -> None:
    task = asking(connections)
    peer = await server.accept()
    await peer.answer(junk)
    with pytest.raises(ConnectionError, match="the answer is no HTTP"):
        await task
    assert await peer.left() == b""


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Len"])
async def test_a_head_that_breaks_off_is_an_error(
    connections: Connections, server: RawServer, head: bytes
) -> None:
    task = asking(connections)
    peer = await server.accept()
    await peer.answer(head)
    peer.close()
    with pytest.raises(ConnectionError, match="the server closed the connection"):
        await task


@pytest.mark.parametrize("begin", [sized(5) + b"who", ENDLESS + b"5\r\nwho"])
async def test_a_body_that_breaks_off_is_an_error_after_what_has_come(
    connections: Connections, server: RawServer, begin: bytes
) -> None:
    answer, peer = await ask(connections, server, begin)
    stream = answer.stream()
    assert await anext(stream) == b"who"
    peer.close()
    with pytest.raises(ConnectionError, match="the server closed the connection"):
        await anext(stream)
    with pytest.raises(ConnectionError, match="the server closed the connection"):
        await answer.read()


async def test_a_body_is_an_error_where_it_is_no_longer_http(
    connections: Connections, server: RawServer
) -> None:
    answer, peer = await ask(connections, server, ENDLESS, b"2\r\nok\r\n")
    peer.send(b"no size\r\n")
    with pytest.raises(ConnectionError, match="the answer is no HTTP"):
        await answer.read()
    answer.feed(b"0\r\n\r\n")
    assert not answer._is_whole
    assert await peer.left() == b""


async def test_an_answer_takes_no_longer_than_all_of_it_may(
    connections: Connections, server: RawServer
) -> None:
    task = asking(connections, limits=Limits(total=0.05))
    peer = await server.accept()
    with pytest.raises(TimeoutError, match="did not answer in time"):
        await task
    await peer.receive()
    assert await peer.left() == b""


async def test_the_body_counts_for_the_limit_of_all(
    connections: Connections, server: RawServer
) -> None:
    answer, peer = await ask(connections, server, sized(5), b"who", limits=Limits(total=0.05))
    with pytest.raises(TimeoutError, match="did not answer in time"):
        await answer.read()
    assert await peer.left() == b""


async def test_a_limit_ends_with_its_answer(connections: Connections, server: RawServer) -> None:
    _, peer = await ask(connections, server, OK, limits=Limits(total=0.05))
    again = asking(connections)
    await peer.receive()
    await asyncio.sleep(0.1)
    peer.send(OK)
    assert await (await again).read() == b"ok"


async def test_a_server_may_take_long_but_not_be_silent(
    connections: Connections, server: RawServer
) -> None:
    answer, peer = await ask(connections, server, ENDLESS, limits=Limits(silence=0.1))
    stream = answer.stream()
    for _ in range(4):
        await asyncio.sleep(0.05)
        peer.send(b"1\r\nx\r\n")
        assert await anext(stream) == b"x"
    with pytest.raises(TimeoutError, match="did not answer in time"):
        await anext(stream)
    assert await peer.left() == b""


async def test_a_server_that_is_not_listened_to_is_not_silent(
    connections: Connections, server: RawServer
) -> None:
    body = bytes(2 * _AHEAD)
    answer, peer = await ask(connections, server, sized(len(body) + 1), limits=Limits(silence=0.05))
    peer.send(body)
    await paused(answer)
    await asyncio.sleep(0.15)
    peer.send(b"x")
    assert b"".join([part async for part in answer.stream()]) == body + b"x"


async def test_silence_begins_anew_when_we_listen_again(
    connections: Connections, server: RawServer
) -> None:
    size = _AHEAD + 1
    answer, peer = await ask(connections, server, sized(size + 1), limits=Limits(silence=0.2))
    peer.send(bytes(size))
    await received(answer, size)
    await asyncio.sleep(0.35)
    stream = answer.stream()
    assert len(await anext(stream)) == size
    await asyncio.sleep(0.1)
    peer.send(b"x")
    assert await anext(stream) == b"x"


async def test_a_stream_that_nobody_takes_is_held_up_and_comes_complete_later(
    connections: Connections, server: RawServer
) -> None:
    body = os.urandom(_AHEAD) * 32
    answer, peer = await ask(connections, server, sized(len(body)))
    peer.send(body)
    await paused(answer)
    assert peer.unsent > len(body) // 4
    assert sum(map(len, answer._parts)) < 2 * _AHEAD
    assert b"".join([part async for part in answer.stream()]) == body
    again = asking(connections)
    await peer.answer()
    assert await (await again).read() == b"ok"


async def test_a_whole_body_is_read_however_large_it_is(
    connections: Connections, server: RawServer
) -> None:
    body = b"x" * (4 * _AHEAD)
    answer, peer = await ask(connections, server, sized(len(body)))
    peer.send(body)
    await paused(answer)
    assert await answer.read() == body


async def test_a_connection_receives_again_after_an_answer_that_nobody_took(
    connections: Connections, server: RawServer
) -> None:
    answer, peer = await ask(connections, server, sized(_AHEAD), bytes(_AHEAD - 99))
    await received(answer, _AHEAD - 99)
    peer.send(bytes(99))
    await received(answer, _AHEAD)
    answer.close()
    again = asking(connections, limits=Limits(total=0.2))
    await peer.answer()
    assert await (await again).read() == b"ok"


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", ENDLESS + b"1\r\nx\r\n2;"])
async def test_what_holds_no_body_holds_nothing_up(
    connections: Connections, server: RawServer, begin: bytes
) -> None:
    task = asking(connections, limits=Limits(silence=0.1))
    peer = await server.accept()
    await peer.receive()
    peer.send(begin, b"x" * 2 * _AHEAD)

    async def read() -> None:
        stream = (await task).stream()
        assert await anext(stream) == b"x"
        await anext(stream)

    with pytest.raises(TimeoutError, match="did not answer in time"):
        await asyncio.wait_for(read(), 0.5)


async def test_a_large_body_is_sent_whole_and_the_guard_is_asked_for_each_part(
    connections: Connections, server: RawServer
) -> None:
    body = os.urandom(4 * _AHEAD) + b"end"
    asked: list[int] = []
    task = asking(connections, body, guard=lambda: asked.append(1))
    request = await (peer := await server.accept()).answer()
    assert request.partition(b"\r\n\r\n")[2] == body
    assert await (await task).read() == b"ok"
    assert len(asked) == len(body) // _PART + 1
    again = asking(connections, b"x")
    assert (await peer.answer()).endswith(b"\r\n\r\nx")
    await again


@pytest.mark.parametrize("passes", [0, 2])
async def test_what_the_guard_refuses_is_not_sent(
    connections: Connections, server: RawServer, passes: int
) -> None:
    asked: list[int] = []

    def guard() -> None:
        asked.append(1)
        if len(asked) > passes:
            raise OperatorError("nothing is written")

    task = asking(connections, bytes(10 * _PART), guard=guard)
    peer = await server.accept()
    with pytest.raises(OperatorError, match=r"^nothing is written$"):
        await task
    assert len(await peer.left()) < (passes + 1) * _PART
    assert len(asked) == passes + 1


async def test_a_request_without_a_body_is_not_guarded(
    connections: Connections, server: RawServer
) -> None:
    def guard() -> None:
        raise AssertionError

    task = asking(connections, guard=guard)
    await (await server.accept()).answer()
    assert (await task).status == 200


async def test_an_answer_counts_that_comes_before_the_body_is_sent(
    connections: Connections, server: RawServer
) -> None:
    task = asking(connections, bytes(32 * _AHEAD))
    peer = await server.accept()
    await peer.begun()
    peer.send(b"HTTP/1.1 413 Too large\r\nContent-Length: 5\r\n\r\nlarge")
    answer = await task
    assert answer.status == 413
    assert await answer.read() == b"large"
    assert len(await peer.left()) < 32 * _AHEAD


async def test_a_body_that_the_server_does_not_take_is_given_up_in_time(
    connections: Connections, server: RawServer
) -> None:
    task = asking(connections, bytes(32 * _AHEAD), limits=Limits(total=0.1))
    peer = await server.accept()
    with pytest.raises(TimeoutError, match="did not answer in time"):
        await task
    assert len(await peer.left()) < 32 * _AHEAD


async def test_a_second_answer_does_not_touch_the_first(
    connections: Connections, server: RawServer
) -> None:
    answer, peer = await ask(connections, server, OK, b"HTTP/1.1 500 No\r\nX: y\r\n\r\nno")
    assert (answer.status, answer.headers) == (200, {"content-length": "2"})
    assert await answer.read() == b"ok"
    assert await peer.left() == b""
    assert await exchange(connections, server) is not peer


async def test_a_trailer_is_no_header(connections: Connections, server: RawServer) -> None:
    answer, _ = await ask(connections, server, ENDLESS, b"0\r\nRetry-After: 9\r\n\r\n")
    assert await answer.read() == b""
    assert answer.headers == {"transfer-encoding": "chunked"}
