"""Timeouts and limits of client connections."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from contextlib import AsyncExitStack, suppress

import pytest

from mcp_operator.gateway.front import connection, listener, mcp, places
from mcp_operator.gateway.front.places import Places, client_of, room_for_connections
from support.fake_executor import text_result
from support.mcp_http import modern
from support.raw_client import CALLED, client, raw_call
from support.raw_requests import GOOD, LENGTH, SIZE, raw
from support.response_statuses import statuses
from support.running_gateway import read, running
from support.waiting import hang_guard


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGERING_SECONDS", 0.01)


async def test_a_client_that_sends_nothing_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    async with running() as gateway, client(gateway) as silent:
        assert await silent.rest() == b""


async def test_a_client_that_never_completes_its_headers_is_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    async with running() as gateway, client(gateway) as dripping:
        dripping.send(b"POST /mcp HTTP/1.1\r\nX-A: ")
        closed = asyncio.ensure_future(dripping.rest())
        async with hang_guard():
            while not closed.done():
                dripping.send(b"a")
                await gateway.manage("/livez")

        with suppress(ConnectionError):  # it was closed while more bytes were in flight
            assert closed.result() == b""


async def test_a_keep_alive_connection_with_late_headers_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as gateway, client(gateway) as slow:
        slow.send(GOOD)
        assert await slow.status() == 200
        monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
        slow.send(b"POST /mcp HTTP/1.1\r\n")

        assert await slow.rest() == b""


async def test_a_keep_alive_connection_can_be_idle_for_longer_than_the_header_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    async with running() as gateway, client(gateway) as idle:
        idle.send(GOOD)
        assert await idle.status() == 200
        async with client(gateway) as silent:
            await silent.rest()  # the header timeout has passed for both connections

        idle.send(GOOD)
        assert await idle.status() == 200


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.05)
    async with running() as gateway, client(gateway) as idle:
        idle.send(GOOD)
        assert await idle.status() == 200

        assert await idle.rest() == b""


async def test_a_client_that_does_not_read_its_response_is_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.05)
    async with running() as gateway, client(gateway) as stuck:
        stuck.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport reads too
        gateway.executor.results["add"] = text_result("x" * 2**24)
        stuck.send(raw_call())

        async with hang_guard():
            while await gateway.metric("mcp_requests_total", **CALLED) != 1:
                pass  # each iteration waits for a response
            while await gateway.metric("mcp_open_connections") != 0:
                pass


async def test_a_client_that_reads_slowly_gets_its_whole_response() -> None:
    async with running() as gateway, client(gateway) as slow:
        gateway.executor.results["add"] = text_result("x" * 2**24)
        slow.send(raw_call())
        await slow.reader.readuntil(b"HTTP/1.1 200 OK")
        (served,) = gateway.app._front._listener._opened.server.connections  # type: ignore[union-attr]
        assert isinstance(served, connection.Connection)
        assert served.writing_paused
        received = 0
        async with hang_guard():
            while served.writing_paused:
                before = served._was_unread
                while unsent(served) > max(0, before - connection.LEAST_READ):
                    received += len(await slow.reader.read(2**16))
                served._check_reading()  # as the timer does after `WRITE_SECONDS`
            while received < 2**24:
                received += len(await slow.reader.read(2**16))

        slow.send(GOOD)
        await slow.reader.readuntil(b"HTTP/1.1 200 OK")


def unsent(served: connection.Connection) -> int:
    assert served._wire is not None
    return served._wire.get_write_buffer_size()


async def test_many_simultaneous_connections_are_accepted_in_a_few_turns_of_the_loop() -> None:
    many = 4 * listener.AT_ONCE
    async with running() as gateway, AsyncExitStack() as stack:
        for _ in range(many):  # they queue in the kernel, because the loop does not run meanwhile
            stack.enter_context(socket.create_connection(("127.0.0.1", gateway.app.port)))
        turns = 0
        while gateway.app._front.connections < many:
            await asyncio.sleep(0)
            turns += 1
            assert turns <= 20


async def test_one_client_can_open_at_most_half_of_the_connections(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(places, "MAX_CONNECTIONS", 4)
    async with running() as gateway, AsyncExitStack() as stack:
        for _ in range(2):
            one = await stack.enter_async_context(client(gateway))
            one.send(GOOD)
            assert await one.status() == 200

        for _ in range(3):
            async with client(gateway) as greedy:
                refused = await greedy.rest()
                assert (statuses(refused), b"Retry-After: 5" in refused) == ((429,), True)
        async with client(gateway, "127.0.0.2") as other:
            other.send(GOOD)
            assert await other.status() == 200
    assert caplog.text.count("refusing more") == 1


async def test_connections_over_the_limit_wait_until_others_close(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(places, "MAX_CONNECTIONS", 2)
    async with running() as gateway, AsyncExitStack() as stack:
        served = []
        for address in ("127.0.0.2", "127.0.0.3"):
            served.append(await stack.enter_async_context(client(gateway, address)))
            served[-1].send(GOOD)
            assert await served[-1].status() == 200
        waiting = [
            await stack.enter_async_context(client(gateway, f"127.0.0.{number}"))
            for number in (4, 5)
        ]
        for one in waiting:
            one.send(GOOD)
        assert await gateway.metric("mcp_open_connections") == 2

        for gone, next_ in zip(served, waiting, strict=True):
            await gone.leave()
            assert await next_.status() == 200
    assert caplog.text.count("new ones wait") == 1


async def test_running_out_of_file_descriptors_is_logged_once_and_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "ACCEPT_PAUSE", 0.01)
    async with running() as gateway:
        await read(gateway, modern("tools/list"))
        sockets = [socket.socket() for _ in range(2)]
        for one in sockets:
            one.settimeout(0)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (sockets[0].fileno(), hard))
        try:
            loop = asyncio.get_running_loop()
            for one in sockets:
                await loop.sock_connect(one, ("127.0.0.1", gateway.app.port))
            async with hang_guard():
                while "Cannot accept connections" not in caplog.text:
                    await gateway.client.get(gateway.url)  # on its keep-alive connection
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in sockets:
            async with hang_guard():
                await loop.sock_sendall(one, GOOD)
                assert (await loop.sock_recv(one, 100)).startswith(b"HTTP/1.1 200")
            one.close()
    assert caplog.text.count("Cannot accept connections") == 1


async def test_a_client_over_its_half_gets_429_and_another_client_over_the_limit_503() -> None:
    async with running(max_concurrent_requests=2) as gateway, AsyncExitStack() as stack:
        gateway.executor.gate.clear()
        waiting = [
            await stack.enter_async_context(client(gateway, address))
            for address in ("127.0.0.2", "127.0.0.3")
        ]
        waiting[0].send(raw_call())
        await gateway.executor.started.wait()
        waiting[1].send(raw_call())
        async with hang_guard():
            while await gateway.metric("mcp_requests_in_flight") != 2:
                pass
        async with client(gateway, "127.0.0.2") as greedy, client(gateway, "127.0.0.4") as late:
            greedy.send(raw_call())
            assert await greedy.status() == 429
            late.send(raw_call())
            assert await late.status() == 503
        gateway.executor.gate.set()
        assert [await one.status() for one in waiting] == [200, 200]


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "room"),
    [
        (1024, 20_000, 5120, 4096),
        (1024, 2048, 2048, 1024),
        (256, 256, 256, 128),
        (65_536, 65_536, None, 4096),
        (1024, resource.RLIM_INFINITY, 5120, 4096),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 4096),
    ],
)
def test_the_connection_limit_leaves_file_descriptors_for_everything_else(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None, room: int
) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits[0]))

    assert room_for_connections() == room
    assert set_to == ([] if raised is None else [raised])


@pytest.mark.parametrize(
    ("address", "client_"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_client_is_identified_by_its_ipv4_address_or_ipv6_prefix(
    address: str, client_: str
) -> None:
    assert client_of(address) == client_


def test_a_place_that_a_client_leaves_can_be_taken_again() -> None:
    few = Places(2)

    assert few.enter("a")
    assert not few.enter("a")
    few.leave("a")
    assert few.enter("a")


EXPECT = b"Expect: 100-continue"


async def test_a_client_that_expects_100_continue_gets_it() -> None:
    async with running() as gateway, client(gateway) as polite:
        polite.send(raw(LENGTH, EXPECT, body=b""))
        assert await polite.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

        polite.send(GOOD.partition(b"\r\n\r\n")[2])
        assert await polite.status() == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((EXPECT, b"Content-Length: 4194305"), 413),
        ((EXPECT, LENGTH, b"Origin: http://evil.example"), 403),
        ((EXPECT, LENGTH, b"Content-Encoding: gzip"), 415),
        ((b"Expect: 200-ok", LENGTH), 417),
    ],
)
async def test_a_request_that_is_refused_gets_no_100_continue(
    headers: tuple[bytes, ...], status: int
) -> None:
    async with running() as gateway, client(gateway) as polite:
        polite.send(raw(*headers, body=b""))

        assert statuses(await polite.rest()) == (status,)


async def test_an_http_1_0_client_gets_no_100_continue() -> None:
    async with running() as gateway, client(gateway) as old:
        old.send(raw(LENGTH, EXPECT, line=b"POST /mcp HTTP/1.0", body=b""))
        old.send(GOOD.partition(b"\r\n\r\n")[2])

        assert statuses(await old.rest()) == (200,)


async def test_a_body_with_a_malformed_chunk_gets_400_at_once_and_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(mcp, "BODY_SECONDS", 3600)
    async with running() as gateway, client(gateway) as broken:
        broken.send(raw(b"Transfer-Encoding: chunked", body=b"%x\r\n" % SIZE))
        await gateway.manage("/livez")  # meanwhile the gateway waits for the body
        broken.send(b'{"password":"CANARY"}' + b" " * SIZE)

        answer = await broken.rest()
    assert statuses(answer) == (400,)
    assert "CANARY" not in caplog.text + answer.decode()


async def test_an_unexpected_error_neither_logs_nor_returns_the_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "canary".upper()  # the traceback quotes this file

    def fail(*request: object) -> None:
        raise ValueError(f"{secret} {request}")

    monkeypatch.setattr(mcp, "_head", fail)
    async with running() as gateway, client(gateway) as unlucky:
        unlucky.send(GOOD)
        answer = await unlucky.rest()

    assert statuses(answer) == (500,)
    assert "ValueError" in caplog.records[-1].error  # type: ignore[attr-defined]
    assert "in fail" in caplog.records[-1].trace  # type: ignore[attr-defined]
    assert secret not in caplog.text + str(vars(caplog.records[-1])) + answer.decode()


async def test_no_response_has_a_server_header() -> None:
    async with running() as gateway:
        for url in (gateway.url, gateway.url + "/nowhere"):
            async with gateway.client.get(url) as answer:
                assert "Server" not in answer.headers
