"""The connections to one server: made, kept, and given up."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from mcp_operator.core.connections import Connections, Limits, NoConnectionError, Server
from support.network import free_port
from support.raw_server import LOCAL, OK, RawServer, again, asking, exchange
from support.waiting import eventually

HOST = "api.test"
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def on_its_way(connections: Connections, server: RawServer) -> asyncio.Task[Any]:
    """Begin a request and return it while it still connects."""
    task = asking(connections, limits=Limits(total=1.0))
    await asyncio.sleep(0)
    assert not server.peers
    return task


async def test_a_connection_is_used_again(connections: Connections, server: RawServer) -> None:
    peer = await exchange(connections, server)
    for _ in range(3):
        assert await again(connections, peer) == b"ok"
    assert server.peers == [peer]


async def test_the_connection_that_was_used_last_is_used_first(
    connections: Connections, server: RawServer
) -> None:
    first, one = asking(connections), await server.accept()
    second, two = asking(connections), await server.accept()
    for peer, task in (two, second), (one, first):
        await peer.answer()
        await task
    for _ in range(2):
        assert await again(connections, one) == b"ok"


async def test_requests_at_the_same_time_have_connections_of_their_own(
    connections: Connections, server: RawServer
) -> None:
    tasks = [asking(connections, b"%d" % number) for number in range(4)]
    for _ in tasks:
        peer = await server.accept()
        body = (await peer.receive())[-1:]
        peer.send(OK.replace(b"ok", body * 2))
    assert [await (await task).read() for task in tasks] == [b"00", b"11", b"22", b"33"]


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close", b"HTTP/1.0 200 OK"])
async def test_a_connection_is_closed_where_the_server_keeps_none(
    connections: Connections, server: RawServer, head: bytes
) -> None:
    peer = await exchange(connections, server, head + b"\r\nContent-Length: 2\r\n\r\nok")
    assert await peer.left() == b""
    assert await exchange(connections, server) is not peer


async def test_a_connection_that_was_idle_too_long_is_not_used_again(
    connections: Connections, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = await exchange(connections, server)
    monkeypatch.setattr("mcp_operator.core.connections.IDLE", 0.0)
    assert await exchange(connections, server) is not peer
    assert await peer.left() == b""


async def test_a_connection_is_closed_when_bytes_come_that_nobody_asked_for(
    connections: Connections, server: RawServer
) -> None:
    peer = await exchange(connections, server)
    peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    assert await peer.left() == b""
    assert await exchange(connections, server) is not peer


async def test_a_connection_that_the_server_has_closed_is_not_used_again(
    connections: Connections, server: RawServer
) -> None:
    peer = await exchange(connections, server)
    await peer.gone()

    async def known() -> int:
        return len(connections._open) + len(connections._idle)

    await eventually(known, 0)
    assert await exchange(connections, server) is not peer


async def test_a_connection_is_closed_when_its_answer_is_left_half_read(
    connections: Connections, server: RawServer
) -> None:
    task = asking(connections)
    peer = await server.accept()
    await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    (await task).close()
    assert await peer.left() == b""
    assert await exchange(connections, server) is not peer


async def test_a_cancelled_request_closes_its_connection(
    connections: Connections, server: RawServer
) -> None:
    task = asking(connections)
    await (peer := await server.accept()).receive()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await peer.left() == b""
    assert await exchange(connections, server) is not peer


async def test_a_cancelled_request_leaves_alone_a_connection_that_it_gave_back(
    connections: Connections, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, keep, next_one = asyncio.get_running_loop(), connections.keep, []
    first = asking(connections)
    peer = await server.accept()
    await peer.receive()

    def keep_and_be_taken(connection: Any) -> None:
        monkeypatch.undo()
        keep(connection)
        next_one.append(asking(connections))
        loop.call_soon(first.cancel)

    monkeypatch.setattr(connections, "keep", keep_and_be_taken)
    peer.send(OK)
    with suppress(asyncio.IncompleteReadError):
        await peer.answer(OK.replace(b"ok", b"it"))
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await (await next_one[0]).read() == b"it"


async def test_a_refused_port_means_no_connection() -> None:
    port = free_port()
    with pytest.raises(
        NoConnectionError, match=f"^no connection to {LOCAL}:{port}: .*Connect call failed"
    ):
        await asking(Connections(Server(LOCAL, port)))


async def test_an_unknown_name_means_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(NoConnectionError, match=r"^no connection to api\.test:1: .*not known"):
        await asking(Connections(Server(HOST, 1)))


async def test_a_name_that_cannot_be_one_means_no_connection() -> None:
    with pytest.raises(NoConnectionError, match=r"^no connection to a\.\.b:1"):
        await asking(Connections(Server("a..b", 1)))


@pytest.mark.parametrize("limits", [Limits(connect=0.05), Limits(total=0.05)])
async def test_a_connection_has_to_come_about_in_time(server: RawServer, limits: Limits) -> None:
    connections = Connections(Server(LOCAL, server.port, ssl.create_default_context()))
    with pytest.raises(NoConnectionError, match=r"within 0\.05 s$"):
        await asking(connections, limits=limits)
    await (await server.accept()).left()


async def test_a_server_that_closes_at_once_is_no_connection(
    connections: Connections, server: RawServer
) -> None:
    for _ in range(5):
        task = asking(connections, limits=Limits(total=0.2))
        peer = await server.accept()
        peer.send(b"go away")
        with pytest.raises(ConnectionError):
            await task


async def test_a_request_is_cancelled_even_when_it_has_just_been_connected(
    connections: Connections, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = connections._connected

    async def cancelled() -> Any:
        connection = await connect()
        asyncio.get_running_loop().call_soon(task.cancel)
        return connection

    monkeypatch.setattr(connections, "_connected", cancelled)
    task = asking(connections)
    peer = await server.accept()
    await asyncio.wait([task, answering := asyncio.create_task(peer.left())], timeout=0.2)
    connections.close()
    await asyncio.gather(task, answering, return_exceptions=True)
    assert task.cancelled()


def open_to(port: int) -> int:
    """Return how many sockets of this process are connected, or about to be, to a port."""
    count = 0
    for found in gc.get_objects():
        if isinstance(found, socket.socket) and found.fileno() >= 0:
            with suppress(OSError):
                count += found.getpeername()[1:] == (port,)
    return count


async def test_a_request_that_is_cancelled_while_it_connects_leaves_no_socket_open(
    connections: Connections, server: RawServer
) -> None:
    for turns in range(16):
        task = asking(connections)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    connections.close()

    async def left() -> int:
        return open_to(server.port)

    await eventually(left, 0, seconds=2)


async def test_a_retired_pool_finishes_what_is_under_way_and_keeps_nothing(
    connections: Connections, server: RawServer
) -> None:
    idle, task = await exchange(connections, server), asking(connections)
    other = asking(connections)
    await idle.answer()
    await task
    busy = await server.accept()
    await busy.receive()
    connections.retire()
    assert await idle.left() == b""
    busy.send(OK)
    assert await (await other).read() == b"ok"
    assert await busy.left() == b""
    assert not connections._open


async def test_a_retired_pool_finishes_what_still_connects(
    connections: Connections, server: RawServer
) -> None:
    task = await on_its_way(connections, server)
    connections.retire()
    peer = await server.accept()
    await peer.answer()
    assert await (await task).read() == b"ok"


async def test_a_closed_pool_fails_what_is_under_way(
    connections: Connections, server: RawServer
) -> None:
    half, none = asking(connections), asking(connections, b"x")
    await (await server.accept()).answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    await (await server.accept()).receive()
    answer = await half
    connections.close()
    for failing in answer.read(), none:
        with pytest.raises(ConnectionError):
            await failing


async def test_a_closed_pool_fails_what_still_connects(
    connections: Connections, server: RawServer
) -> None:
    task = await on_its_way(connections, server)
    connections.close()
    with pytest.raises(ConnectionError):
        await task


async def test_a_body_without_a_length_does_not_end_because_we_close(
    connections: Connections, server: RawServer
) -> None:
    task = asking(connections)
    peer = await server.accept()
    await peer.answer(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    answer = await task
    connections.close()
    assert await peer.left() == b""
    with pytest.raises(ConnectionError):
        await answer.read()
