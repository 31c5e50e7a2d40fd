"""The queue between event handlers and workers, with the semantics of client-go's workqueue.

* An item is in the queue once, however often it is added.
* An item is never with two workers at a time. Added while a worker has it, it is *dirty*, and comes
  back when that worker is done: no change is lost, and none is worked on twice at once.
* Of two delays for an item the earlier counts, of two priorities the higher (controller-runtime's
  priority queue). Within a priority, first come is first served.

One event loop runs it all, so there are no locks: every method but `get` and `drained` is
synchronous and leaves the queue consistent.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

from mcp_operator.core.instruments import QueueMetrics
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.ratelimit import ExponentialBackoff

T = TypeVar("T", bound=Hashable)

LOW_PRIORITY: Final = -100
"""Of the items that fill a cache at start; controller-runtime, pkg/handler: LowPriority."""


class _Ranked(Generic[T]):
    """Items by rank, lowest first, each once under the lowest rank it was pushed with."""

    __slots__ = ("_entries", "_heap", "_pushed")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._entries: dict[T, tuple[float, int, T]] = {}
        self._pushed = 0  # orders the items within a rank

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, item: T) -> bool:
        return item in self._entries

    def __iter__(self) -> Iterator[T]:
        return iter(self._entries)

    def push(self, item: T, rank: float) -> bool:
        """Return False if the item is there already under a rank as low."""
        known = self._entries.get(item)
        if known is not None and known[0] <= rank:
            return False
        self._pushed += 1
        self._entries[item] = entry = (rank, self._pushed, item)
        heapq.heappush(self._heap, entry)
        return True

    def lowest(self) -> float | None:
        """Return the rank of what `pop` takes next, None if there is nothing."""
        while self._heap and self._entries.get(self._heap[0][2]) is not self._heap[0]:
            heapq.heappop(self._heap)  # was discarded, or pushed again under a lower rank
        return self._heap[0][0] if self._heap else None

    def pop(self) -> T:
        """Take the first item of those with the lowest rank; there must be one."""
        self.lowest()
        item = heapq.heappop(self._heap)[2]
        del self._entries[item]
        return item

    def discard(self, item: T) -> None:
        if self._entries.pop(item, None) and len(self._heap) > 2 * len(self._entries) + 64:
            self._heap = sorted(self._entries.values())  # sheds the stale majority

    def clear(self) -> None:
        self._heap.clear()
        self._entries.clear()


class WorkQueue(Generic[T]):
    """Hands each item to one worker at a time.

    Args:
        name: The labels `name` and `controller` of the `workqueue_*` metrics.
        metrics: The families to report to.
        rate_limiter: Sets the delay of rate limited adds; one with the usual times if None.
    """

    def __init__(
        self, name: str, *, metrics: RuntimeMetrics, rate_limiter: ExponentialBackoff | None = None
    ) -> None:
        self._rate_limiter = rate_limiter or ExponentialBackoff()
        self._ready = _Ranked[T]()  # by falling priority
        self._ready_since: dict[T, float] = {}
        self._delayed = _Ranked[T]()  # by due time
        self._dirty: set[T] = set()  # ready, but with a worker
        self._priority: dict[T, int] = {}  # of whatever is ready, delayed or dirty
        self._processing: dict[T, float] = {}  # since when
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()  # workers without an item
        self._idle = asyncio.Event()
        self._idle.set()
        self._shutting_down = False
        self._metrics = QueueMetrics(name, metrics, depth=self.depth, busy=self.busy_seconds)
        self._metrics.show_depth(0)
        self._metrics.show_depth(LOW_PRIORITY)

    def __len__(self) -> int:
        """How many items a worker could take now."""
        return len(self._ready)

    @property
    def delayed(self) -> int:
        """How many items wait for their time."""
        return len(self._delayed)

    @property
    def processing(self) -> int:
        """How many items are with a worker."""
        return len(self._processing)

    @property
    def shutting_down(self) -> bool:
        """Whether `shut_down` was called."""
        return self._shutting_down

    def depth(self, priority: int) -> int:
        """Return how many items of a priority a worker could take now."""
        return sum(self._priority[item] == priority for item in self._ready)

    def busy_seconds(self) -> list[float]:
        """Return for each item with a worker how long it has been there."""
        if not self._processing:
            return []
        now = asyncio.get_running_loop().time()
        return [now - since for since in self._processing.values()]

    def add(
        self, item: T, *, priority: int = 0, after: float = 0.0, rate_limited: bool = False
    ) -> None:
        """Have the item processed; does nothing once the queue is shut down.

        Args:
            item: What to process.
            priority: Higher comes first.
            after: Seconds to wait before it is ready; at once if not positive.
            rate_limited: Wait for as long as the rate limiter says, or `after` if that is longer.
        """
        if self._shutting_down:
            return
        if rate_limited:
            after = max(after, self._rate_limiter.when(item))
            self._metrics.retries.inc()
        self._priority[item] = max(priority, self._priority.get(item, priority))
        if after <= 0 or item in self._ready or item in self._dirty:
            self._make_ready(item)
        elif self._delayed.push(item, asyncio.get_running_loop().time() + after):
            self._schedule()

    def forget(self, item: T) -> None:
        """Reset the rate limiter for an item; does not take it out of the queue."""
        self._rate_limiter.forget(item)

    async def get(self) -> tuple[T, int] | None:
        """Wait for an item and take it; the taker must call `done`.

        Returns:
            The item and its priority, or None once the queue is shut down.
        """
        while not self._ready:
            if self._shutting_down:
                return None
            await self._wait()
        item = self._ready.pop()
        now = asyncio.get_running_loop().time()
        self._metrics.waited(now - self._ready_since.pop(item))
        self._processing[item] = now
        self._idle.clear()
        return item, self._priority.pop(item)

    def done(self, item: T) -> None:
        """Give back an item that `get` handed out; if it is dirty, it is ready again."""
        since = self._processing.pop(item)
        self._metrics.worked(asyncio.get_running_loop().time() - since)
        if item in self._dirty:
            self._dirty.discard(item)
            self._push(item)
        if not self._processing:
            self._idle.set()

    def shut_down(self) -> None:
        """Accept no more items, drop those that wait, and send idle workers home.

        client-go hands out first what is ready. Here it is dropped: whoever starts next lists the
        world anew and finds the same work, and a backlog does not hold up the shutdown.
        """
        self._shutting_down = True
        for waiting in (self._ready, self._ready_since, self._delayed, self._dirty, self._priority):
            waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            self._wake_one()

    async def drained(self) -> None:
        """Wait until no worker has an item; call `shut_down` first."""
        await self._idle.wait()

    def _make_ready(self, item: T) -> None:
        if item not in self._ready and item not in self._dirty:
            self._metrics.added()
            self._delayed.discard(item)
        if item in self._processing:
            self._dirty.add(item)
        else:
            self._push(item)

    def _push(self, item: T) -> None:
        priority = self._priority[item]
        if self._ready.push(item, -priority):
            self._ready_since.setdefault(item, asyncio.get_running_loop().time())
            self._metrics.show_depth(priority)
            self._wake_one()

    async def _wait(self) -> None:
        """Wait to be woken; one who cannot take the item leaves it to the next."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._wake_one()
            raise

    def _wake_one(self) -> None:
        """Wake one worker, if there is one that waits: all of them would find one item."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _schedule(self) -> None:
        """Keep one timer, set to the earliest due time or before; none if nothing is due."""
        due = self._delayed.lowest()
        if self._timer is not None and (due is None or due < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if self._timer is None and due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._release)

    def _release(self) -> None:
        """Make ready what is due; may find nothing if what was due has been discarded."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        while (due := self._delayed.lowest()) is not None and due <= now:
            self._make_ready(self._delayed.pop())
        self._schedule()
