"""What one backend, and one client of it, may take of a gateway."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.gateway.shares import RECENT_SECONDS
from mcp_operator.gateway.upstream.bulkhead import Bulkheads, BusyError

pytestmark = pytest.mark.looptime

CAPACITY = 16
"""Of a server: 8 calls to a backend are in flight, and 4 wait."""


class Backend:
    """A backend that answers when it is told to."""

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
        """Tell for each of some calls whether it was taken."""
        tasks = [asyncio.create_task(self._call(client)) for _ in range(times)]
        for _ in range(5):
            await asyncio.sleep(0)
        self.tasks += tasks
        return [not task.done() for task in tasks]

    async def answer(self) -> None:
        """Let all calls end, those that wait too."""
        self.answers.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert not self.bulkheads._bulkheads


async def test_one_backend_never_holds_the_whole_server() -> None:
    backend = Backend()
    taken = [(await backend.calls(f"client-{number}"))[0] for number in range(CAPACITY)]

    assert taken == [True] * 12 + [False] * 4
    assert len(backend.called) == 8
    with pytest.raises(BusyError, match="try again"):
        await backend._call("another")
    async with backend.bulkheads.slot("other", 80, CAPACITY, "another"):
        pass
    await backend.answer()


async def test_a_waiting_call_follows_when_a_slot_is_free() -> None:
    backend = Backend()
    await backend.calls("a", 9)
    assert len(backend.called) == 8

    await backend.answer()

    assert len(backend.called) == 9


async def test_a_client_that_is_alone_leaves_others_a_place_to_wait_in() -> None:
    backend = Backend()

    assert sum(await backend.calls("greedy", CAPACITY)) == 10
    with pytest.raises(BusyError, match="your other calls"):
        await backend._call("greedy")
    assert await backend.calls("other", 2) == [True, True]
    await backend.answer()


async def test_a_client_among_others_takes_half_of_a_backend() -> None:
    backend = Backend()
    assert await backend.calls("other") == [True]

    assert sum(await backend.calls("greedy", CAPACITY)) == 4
    assert sum(await backend.calls("other", CAPACITY)) == 3
    assert backend.called.count("greedy") == backend.called.count("other") == 4
    await backend.answer()


async def test_a_client_that_others_have_left_alone_has_all_again() -> None:
    backend = Backend()
    await backend.calls("other")
    await backend.calls("greedy", CAPACITY)
    await asyncio.sleep(RECENT_SECONDS)

    await backend.calls("greedy", CAPACITY)

    assert backend.called.count("greedy") == 7, "one is still the other's"
    await backend.answer()


async def test_cancelled_calls_give_back_their_places() -> None:
    backend = Backend()
    await backend.calls("a", 10)
    for task in backend.tasks:
        task.cancel()
    await backend.answer()

    assert await backend.calls("a", 10) == [False] * 10, "all were answered at once"
    assert backend.called.count("a") == 18


@pytest.mark.parametrize("client", ["a", ""])
async def test_the_smallest_server_still_calls(client: str) -> None:
    async with Bulkheads().slot("a", 80, 1, client):
        pass
