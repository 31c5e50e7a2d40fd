"""When an event loop waits for more to come, and when it must not."""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Iterator

import pytest

from mcp_operator.core.moderation import BUSY, GATHER, ModeratedSelector, moderated_loop


class World:
    """A clock that the test sets, and connections on which something comes at a time of it."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []
        self.due: dict[socket.socket, float] = {}
        self.selector = _Patient(self)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.until(self.time + seconds)

    def until(self, time: float) -> None:
        self.time = time
        for connection in [each for each, due in self.due.items() if due <= time]:
            connection.send(b".")
            del self.due[connection]

    def next_is_due(self) -> None:
        if self.due:
            self.until(min(self.due.values()))


class _Patient(ModeratedSelector):
    """Waits in the world's time."""

    def __init__(self, world: World) -> None:
        super().__init__(world.now, world.sleep)
        self._world = world

    def wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            self._world.next_is_due()
        else:
            self._world.time += 0.001  # others have the processor for a while
        return super().wait(timeout)


class Line:
    """A connection on which single bytes come."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._here, self._there = socket.socketpair()
        world.selector.register(self._here, selectors.EVENT_READ, self)

    def speaks(self, *, after: float) -> None:
        self._world.due[self._there] = self._world.time + after

    def take(self) -> None:
        self._here.recv(1)

    def close(self) -> None:
        self._world.selector.unregister(self._here)
        self._here.close()
        self._there.close()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.selector.close()


@pytest.fixture
def lines(world: World) -> Iterator[list[Line]]:
    lines = [Line(world) for _ in range(3)]
    yield lines
    for line in lines:
        line.close()


def heard(world: World) -> list[Line]:
    found = [key.data for key, _ in world.selector.select()]
    for line in found:
        line.take()
    return found


def test_the_first_of_something_new_is_read_at_once(world: World, lines: list[Line]) -> None:
    for _ in range(2):
        lines[0].speaks(after=BUSY * 1.1)
        began = world.time
        assert heard(world) == lines[:1]
        assert world.time - began == pytest.approx(BUSY * 1.1)
    assert world.slept == []


def test_what_follows_closely_is_read_together(world: World, lines: list[Line]) -> None:
    lines[0].speaks(after=1)
    assert heard(world) == lines[:1]
    lines[1].speaks(after=BUSY / 2)
    lines[2].speaks(after=BUSY / 2 + GATHER / 2)
    assert set(heard(world)) == set(lines[1:])
    assert world.slept == [GATHER]


def test_what_is_there_already_is_not_waited_for(world: World, lines: list[Line]) -> None:
    lines[0].speaks(after=1)
    assert heard(world) == lines[:1]
    lines[1].speaks(after=0.001)
    world.until(world.time + 0.002)  # while the first was worked on
    assert heard(world) == lines[1:2]
    assert world.slept == []


def test_a_loop_that_has_more_to_do_looks_up_now_and_then(world: World, lines: list[Line]) -> None:
    lines[0].speaks(after=1)
    assert heard(world) == lines[:1]
    lines[1].speaks(after=0)
    world.until(world.time)
    assert world.selector.select(0) == []
    world.until(world.time + GATHER)
    assert [key.data for key, _ in world.selector.select(0)] == lines[1:2]
    assert world.slept == []


def test_an_event_loop_runs_on_it() -> None:
    async def there_and_back() -> bytes:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read(5))
            writer.close()

        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    with asyncio.Runner(loop_factory=moderated_loop) as runner:
        assert runner.run(there_and_back()) == b"hello"
