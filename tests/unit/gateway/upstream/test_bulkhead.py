"""The share of the concurrency limit that one backend, and one client of it, can use."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.gateway.shares import RECENT_SECONDS
from mcp_operator.gateway.upstream.bulkhead import Bulkheads, BusyError

pytestmark = pytest.mark.looptime

CAPACITY = 16
"""The limit of the server: 8 calls to a backend can be in flight, and 4 can wait."""


class Backend:
    """A backend that responds when the test lets it."""

    def __init__(self) -> None:
        self.bulkheads = Bulkheads()
        self.answers = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.called: list[str] = []

    async def _call(self, client: str) -> None:
        async with self.bulkheads.slot("backend", 80, CAPACITY, client):
            self.called.append(client)
            await self.answers.wait()

    async def calls(self, client: str, times: int = 1) -> list[bool]:
        """Make some calls; return for each whether it was accepted."""
        tasks = [asyncio.create_task(self._call(client)) for _ in range(times)]
        for _ in range(5):
            await asyncio.sleep(0)
        self.tasks += tasks
        return [not task.done() for task in tasks]

    async def answer(self) -> None:
        """Let all calls end, also those that wait."""
        self.answers.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert not self.bulkheads._bulkheads


async def test_one_backend_cannot_use_the_whole_limit_of_the_server() -> None:
    backend = Backend()
    taken = [(await backend.calls(f"client-{number}"))[0] for number in range(CAPACITY)]

    assert taken == [True] * 12 + [False] * 4
    assert len(backend.called) == 8
    with pytest.raises(BusyError, match="try again"):
        await backend._call("another")
    async with backend.bulkheads.slot("other", 80, CAPACITY, "another"):
        pass
    await backend.answer()


async def test_a_waiting_call_starts_when_a_slot_is_free() -> None:
    backend = Backend()
    await backend.calls("a", 9)
    assert len(backend.called) == 8

    await backend.answer()

    assert len(backend.called) == 9


async def test_a_single_client_leaves_room_for_waiting_calls_of_others() -> None:
    backend = Backend()

    assert sum(await backend.calls("greedy", CAPACITY)) == 10
    with pytest.raises(BusyError, match="your other calls"):
        await backend._call("greedy")
    assert await backend.calls("other", 2) == [True, True]
    await backend.answer()


async def test_a_client_among_others_can_use_half_of_a_backend() -> None:
    backend = Backend()
    assert await backend.calls("other") == [True]

    assert sum(await backend.calls("greedy", CAPACITY)) == 4
    assert sum(await backend.calls("other", CAPACITY)) == 3
    assert backend.called.count("greedy") == backend.called.count("other") == 4
    await backend.answer()


async def test_a_client_can_use_all_free_slots_again_after_others_become_inactive() -> None:
    backend = Backend()
    await backend.calls("other")
    await backend.calls("greedy", CAPACITY)
    await asyncio.sleep(RECENT_SECONDS)

    await backend.calls("greedy", CAPACITY)

    assert backend.called.count("greedy") == 7, "the other client still has one"
    await backend.answer()


async def test_cancelled_calls_release_their_slots() -> None:
    backend = Backend()
    await backend.calls("a", 10)
    for task in backend.tasks:
        task.cancel()
    await backend.answer()

    assert await backend.calls("a", 10) == [False] * 10, "all got responses at once"
    assert backend.called.count("a") == 18


@pytest.mark.parametrize("client", ["a", ""])
async def test_a_server_with_a_limit_of_one_can_still_call(client: str) -> None:
    async with Bulkheads().slot("a", 80, 1, client):
        pass
