"""The memory that clients occupy at the edge is bounded, in total and for each client."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from mcp_operator.gateway.front import connection, mcp, unread
from mcp_operator.gateway.front.unread import Unread
from support.fake_executor import text_result
from support.raw_client import CALLED, client, raw_call
from support.raw_requests import GOOD, SIZE, raw
from support.response_statuses import statuses
from support.running_gateway import running
from support.waiting import hang_guard


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGERING_SECONDS", 0.01)


async def test_over_the_limit_the_client_with_the_most_unread_bytes_is_disconnected() -> None:
    class Lagging:
        def __init__(self, unread: int) -> None:
            self.unread = unread
            self.cut_off = False

        def cut(self) -> None:
            self.cut_off = True

    all_, readers = Unread(100), [Lagging(60), Lagging(30), Lagging(40), Lagging(40)]
    for reader in readers[:3]:
        all_.add(reader)
    assert [reader.cut_off for reader in readers] == [True, False, False, False]

    all_.discard(readers[1])
    all_.add(readers[3])
    assert [reader.cut_off for reader in readers] == [True, False, False, False]


async def test_the_unread_bytes_of_all_clients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "MAX_UNREAD", 2**20)
    async with running() as gateway, AsyncExitStack() as stack:
        gateway.executor.results["add"] = text_result("x" * 2**24)
        stuck = []
        for _ in range(2):
            stuck.append(await stack.enter_async_context(client(gateway)))
            stuck[-1].writer.transport.pause_reading()  # type: ignore[attr-defined]
            stuck[-1].send(raw_call())

        async with hang_guard():
            while await gateway.metric("mcp_requests_total", **CALLED) != 2:
                pass
            while await gateway.metric("mcp_open_connections") != 0:
                pass


async def test_a_client_whose_bodies_take_half_of_the_memory_gets_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mcp, "MAX_BODIES", 4 * SIZE)
    held = raw(b"Content-Length: %d" % (2 * SIZE), body=b" " * (2 * SIZE - 1))
    async with running(max_request_bytes=2 * SIZE) as gateway, AsyncExitStack() as stack:
        slow = await stack.enter_async_context(client(gateway))
        slow.send(held)
        async with client(gateway) as same, client(gateway, "127.0.0.2") as other:
            other.send(GOOD)
            assert await other.status() == 200
            same.send(GOOD)
            refused = await same.rest()
            assert (statuses(refused), b"Retry-After: 1" in refused) == ((503,), True)
        slow.send(b" ")
        assert await slow.status() == 400
        slow.send(GOOD)
        assert await slow.status() == 200


async def test_the_memory_of_a_body_is_released_when_its_client_disconnects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mcp, "MAX_BODIES", 4 * SIZE)
    async with running(max_request_bytes=2 * SIZE) as gateway:
        async with client(gateway) as leaver:
            leaver.send(raw(b"Content-Length: %d" % (2 * SIZE), body=b" " * (2 * SIZE - 1)))
            async with hang_guard():
                while not gateway.app._front._bodies.held:
                    await gateway.manage("/livez")
        async with hang_guard():
            while gateway.app._front._bodies.held:
                await gateway.manage("/livez")
