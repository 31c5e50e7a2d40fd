from __future__ import annotations

import asyncio

import pytest

from mcp_operator.gateway.upstream.bulkhead import Bulkheads, BusyError


async def hold(bulkheads: Bulkheads, release: asyncio.Event, host: str = "a") -> None:
    async with bulkheads.slot(host, 80, capacity=8):
        await release.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_backend_never_holds_the_whole_server() -> None:
    bulkheads, release = Bulkheads(), asyncio.Event()
    # 8 / 2 in flight and 8 / 4 waiting; the rest is refused at once.
    held = [asyncio.create_task(hold(bulkheads, release)) for _ in range(6)]
    await settle()
    with pytest.raises(BusyError, match="try again"):
        await hold(bulkheads, release)
    async with bulkheads.slot("b", 80, capacity=8):
        pass
    release.set()
    await asyncio.gather(*held)


async def test_a_waiting_call_follows_when_a_slot_is_free() -> None:
    bulkheads, release = Bulkheads(), asyncio.Event()
    held = [asyncio.create_task(hold(bulkheads, release)) for _ in range(5)]
    await settle()
    assert sum(task.done() for task in held) == 0
    release.set()
    await asyncio.gather(*held)
    assert not bulkheads._bulkheads


async def test_cancelled_calls_give_back_their_places() -> None:
    bulkheads, release = Bulkheads(), asyncio.Event()
    held = [asyncio.create_task(hold(bulkheads, release)) for _ in range(6)]
    await settle()
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert not bulkheads._bulkheads
    async with bulkheads.slot("a", 80, capacity=8):
        pass


async def test_the_smallest_server_still_calls() -> None:
    async with Bulkheads().slot("a", 80, capacity=1):
        pass
