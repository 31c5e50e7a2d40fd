"""The queue against a model of its promises, over random histories in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

import looptime
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.ratelimit import ExponentialBackoff
from mcp_operator.runtime.workqueue import WorkQueue


class Add(NamedTuple):
    item: int
    priority: int
    after: float
    rate_limited: bool


class Get(NamedTuple):
    pass


class Done(NamedTuple):
    which: int


class Wait(NamedTuple):
    seconds: float


Step = Add | Get | Done | Wait

steps: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.builds(
            Add,
            item=st.integers(0, 2),
            priority=st.sampled_from([-100, 0, 5]),
            after=st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.5, 60.0]),
            rate_limited=st.sampled_from([False, False, True]),
        ),
        st.builds(Get),
        st.builds(Get),
        st.builds(Done, which=st.integers(0, 3)),
        st.builds(Wait, seconds=st.sampled_from([0.5, 1.0, 3.0, 100.0])),
    ),
    min_size=20,
    max_size=60,
)


class Wanted(NamedTuple):
    """The combined effect of the adds since the last `get` of an item."""

    due: float
    priority: int


@dataclass
class Model:
    """Plays a history on a queue and checks each answer."""

    queue: WorkQueue[int]
    wanted: dict[int, Wanted] = field(default_factory=dict)
    working: set[int] = field(default_factory=set)

    async def play(self, step: Step) -> None:
        match step:
            case Add():
                self.add(step)
            case Get() if self.available():
                await self.get()
            case Done() if self.working:
                item = sorted(self.working)[step.which % len(self.working)]
                self.working.remove(item)
                self.queue.done(item)
            case Wait():
                await asyncio.sleep(step.seconds)
            case _:
                pass  # there is nothing to get, or no worker has an item
        assert len(self.queue) == len(self.available())
        assert self.queue.processing == len(self.working)

    def add(self, step: Add) -> None:
        after = step.after
        if step.rate_limited:
            after = max(
                after, min(2.0 ** self.queue._rate_limiter._failures.get(step.item, 0), 1000.0)
            )
        due = asyncio.get_running_loop().time() + after
        known = self.wanted.get(step.item, Wanted(due, step.priority))
        self.wanted[step.item] = Wanted(min(due, known.due), max(step.priority, known.priority))
        self.queue.add(**step._asdict())

    def available(self) -> dict[int, int]:
        """Return the priorities of the items that a worker can get now."""
        now = asyncio.get_running_loop().time()
        return {
            item: wanted.priority
            for item, wanted in self.wanted.items()
            if wanted.due <= now and item not in self.working
        }

    async def get(self) -> None:
        available = self.available()
        taken = await asyncio.wait_for(self.queue.get(), 0.001)
        assert taken is not None
        item, priority = taken
        assert item not in self.working, "two workers have one item"
        assert available[item] == priority == max(available.values())
        self.working.add(item)
        del self.wanted[item]

    async def finish(self) -> None:
        """Take all that is left, and check that exactly the added items are there."""
        for item in list(self.working):
            self.working.remove(item)
            self.queue.done(item)
        await asyncio.sleep(10_000)
        while self.wanted:
            await self.get()
        assert len(self.queue) == self.queue.delayed == 0


@settings(max_examples=200)
@given(steps)
def test_no_add_is_lost_and_no_item_is_processed_by_two_workers(history: list[Step]) -> None:
    async def play() -> None:
        metrics = RuntimeMetrics(CollectorRegistry())
        limiter = ExponentialBackoff(base=1.0, maximum=1000.0)
        model = Model(WorkQueue("model", metrics=metrics, rate_limiter=limiter))
        for step in history:
            await model.play(step)
        await model.finish()

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(play())
