"""Clients that retry at once are refused at a bounded rate if the gateway lacks CPU time."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from mcp_operator.gateway.front import refusals
from mcp_operator.gateway.front.connection import Connection
from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.front.refusals import (
    BURST_SECONDS,
    LATE_SECONDS,
    MOST_SECONDS,
    REFUSALS_PER_SECOND,
    Refusals,
)
from mcp_operator.gateway.lag import LagWatch
from support.raw_client import client, raw_call
from support.raw_requests import GOOD
from support.running_gateway import running
from support.waiting import eventually, hang_guard

BURST = int(BURST_SECONDS * REFUSALS_PER_SECOND)


def late(seconds: float) -> Refusals:
    watch = LagWatch(CollectorRegistry())
    watch.recent = seconds
    return Refusals(watch)


@pytest.mark.looptime
async def test_refusals_are_not_delayed_while_the_event_loop_is_on_time() -> None:
    given = late(LATE_SECONDS / 2)

    assert {given.rest() for _ in range(10 * REFUSALS_PER_SECOND)} == {0.0}


@pytest.mark.looptime
async def test_refusals_are_delayed_only_after_a_burst() -> None:
    given = late(LATE_SECONDS)

    assert {given.rest() for _ in range(BURST - 1)} == {0.0}
    assert max(given.rest() for _ in range(2)) > 0


@pytest.mark.looptime
@pytest.mark.parametrize(("clients", "rate"), [(300, 500), (3000, 3000)])
async def test_clients_that_retry_at_once_are_slowed_down(clients: int, rate: int) -> None:
    given, refused, loop = late(LATE_SECONDS), 0, asyncio.get_running_loop()

    async def retry_repeatedly() -> None:
        nonlocal refused
        while loop.time() < 10:
            refused += 1
            await asyncio.sleep(max(given.rest(), 0.001))

    await asyncio.gather(*(retry_repeatedly() for _ in range(clients)))

    assert refused <= 1.1 * (10 * rate + clients + BURST)


@pytest.mark.looptime
async def test_the_delay_of_refusals_is_bounded_and_ends_after_a_pause() -> None:
    given = late(LATE_SECONDS)
    longest = max(given.rest() for _ in range(10 * REFUSALS_PER_SECOND))
    assert longest == pytest.approx(MOST_SECONDS)

    await asyncio.sleep(MOST_SECONDS + BURST_SECONDS)

    assert given.rest() == 0


@pytest.fixture
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "LATE_SECONDS", -1)
    monkeypatch.setattr(refusals, "BURST_SECONDS", 0)
    monkeypatch.setattr(refusals, "REFUSALS_PER_SECOND", 1e-6)


@pytest.mark.usefixtures("_always")
@pytest.mark.parametrize(("most", "answered"), [(3600.0, False), (0.01, True)])
async def test_the_next_request_of_a_refused_client_is_read_after_the_delay(
    monkeypatch: pytest.MonkeyPatch, most: float, *, answered: bool
) -> None:
    monkeypatch.setattr(refusals, "MOST_SECONDS", most)
    async with (
        running(max_concurrent_requests=1) as gateway,
        client(gateway) as first,
        client(gateway) as greedy,
        hang_guard(),
    ):
        gateway.executor.gate.clear()
        first.send(raw_call())
        await gateway.executor.started.wait()
        greedy.send(raw_call())
        assert await greedy.status() == 503

        greedy.send(GOOD)
        if answered:
            assert await greedy.status() == 200
        else:
            for _ in range(20):
                await gateway.manage("/livez")
            assert not greedy.reader._buffer  # type: ignore[attr-defined]


async def test_the_end_of_the_delay_does_not_resume_reading_while_requests_wait() -> None:
    handled, leave = asyncio.Queue[Connection](), asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request.protocol, Connection)
        handled.put_nowait(request.protocol)
        await leave.wait()
        return web.Response()

    listener, loop, rested = Listener(handle), asyncio.get_running_loop(), asyncio.Event()
    await listener.start("127.0.0.1", 0)
    _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(GOOD * 1000)
    connection = await handled.get()

    async def is_reading() -> bool:
        return connection.transport is not None and connection.transport.is_reading()

    await eventually(is_reading, expected=False)
    connection.rest(0.01)
    loop.call_later(0.01, rested.set)
    await rested.wait()
    assert not await is_reading()

    leave.set()
    writer.close()
    await listener.stop(0)
