"""The queue between event handlers and workers, with the semantics of client-go's workqueue.

* An item is in the queue once, however often it is added.
* An item is never processed by two workers at a time. An item that is added while a worker has it
  is *dirty*, and returns to the queue when that worker is done, so that no change is lost.
* If an item is added several times, the earliest due time and the highest priority count, as in
  controller-runtime's priority queue.
* Within a priority, groups of items take turns; the groups of a controller are namespaces. A
  thousand items of one group do not delay the only item of another. Each group is first in, first
  out. A limit can keep a group from occupying all workers, which would make the others wait.

Everything runs in one event loop, so there are no locks: every method except `get` and `drained` is
synchronous and leaves the queue consistent.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Final, Generic, TypeVar

from mcp_operator.core.instruments import QueueMetrics
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.ratelimit import ExponentialBackoff

T = TypeVar("T", bound=Hashable)

LOW_PRIORITY: Final = -100
"""The priority of items from the initial list; controller-runtime, pkg/handler: LowPriority."""

_TURNS: Final = 1 << 40
"""More turns than the queue can take until it is empty, when the count starts again."""


class _KeyedHeap(Generic[T]):
    """Items by rank, lowest first; each is contained once, with its lowest rank so far."""

    __slots__ = ("_entries", "_heap", "_pushed")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._entries: dict[T, tuple[float, int, T]] = {}
        self._pushed = 0  # for the order within a rank

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, item: T) -> bool:
        return item in self._entries

    def __iter__(self) -> Iterator[T]:
        return iter(self._entries)

    def push(self, item: T, rank: float) -> bool:
        """Add an item; return False if it already has this or a lower rank."""
        known = self._entries.get(item)
        if known is not None and known[0] <= rank:
            return False
        self._pushed += 1
        self._entries[item] = entry = (rank, self._pushed, item)
        heapq.heappush(self._heap, entry)
        return True

    def peek(self) -> float | None:
        """Return the rank of the item that `pop` would return, or None if there is none."""
        while self._heap and self._entries.get(self._heap[0][2]) is not self._heap[0]:
            heapq.heappop(self._heap)  # was discarded, or pushed again with a lower rank
        return self._heap[0][0] if self._heap else None

    def pop(self) -> T:
        """Remove and return the first item with the lowest rank; there must be one."""
        self.peek()
        item = heapq.heappop(self._heap)[2]
        del self._entries[item]
        return item

    def discard(self, item: T) -> None:
        if self._entries.pop(item, None) and len(self._heap) > 2 * len(self._entries) + 64:
            self._heap = sorted(self._entries.values())  # drop the stale entries

    def clear(self) -> None:
        self._heap.clear()
        self._entries.clear()


class _Groups(Generic[T]):
    """The ready items by group, and the order in which the groups take turns.

    Of the groups whose first items have the highest priority, the one with the earliest turn comes
    first. A group gets the turn after its last one, or after the current turn if that is later:
    start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) with items of one size.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: dict[Hashable, _KeyedHeap[T]] = {}
        self._order = _KeyedHeap[Hashable]()  # the groups that are below their limit
        self._turns: dict[Hashable, int] = {}
        self._now = 0
        self._taken = Counter[Hashable]()

    def push(self, group: Hashable, item: T, priority: int) -> bool:
        """Add an item; return whether its group now has an item that a worker can take."""
        if group not in self._items:
            self._items[group] = _KeyedHeap()
            self._turns[group] = max(self._now, self._turns.get(group, 0)) + 1
        return self._items[group].push(item, -priority) and self._place(group)

    def pop(self) -> T | None:
        """Take the next item; None if there is none, or if all their groups are at the limit."""
        if self._order.peek() is None:
            return None
        group = self._order.pop()
        self._now = self._turns[group]
        self._turns[group] += 1
        self._taken[group] += 1
        item = self._items[group].pop()
        if not self._items[group]:
            del self._items[group]
        self._place(group)
        if not self._items:
            self._turns.clear()
            self._now = 0
        return item

    def release(self, group: Hashable) -> bool:
        """Record that an item is done; return whether another of its group can now be taken."""
        self._taken[group] -= 1
        if not self._taken[group]:
            del self._taken[group]
        return self._place(group)

    def clear(self) -> None:
        for each in (self._items, self._order, self._turns):
            each.clear()

    def _place(self, group: Hashable) -> bool:
        self._order.discard(group)
        if group not in self._items or self._taken[group] >= self._limit:
            return False
        rank = (self._items[group].peek() or 0) * _TURNS + self._turns[group]
        return self._order.push(group, rank)


def _one_group(_: Hashable) -> Hashable:
    return None


class WorkQueue(Generic[T]):
    """Hands each item to one worker at a time.

    Args:
        name: The labels `name` and `controller` of the `workqueue_*` metrics.
        metrics: The families to report to.
        rate_limiter: Sets the delay of rate limited adds; None for the default delays.
        group: Returns the group of an item; all are in one by default.
        group_limit: How many items of one group can be with workers at a time.
    """

    def __init__(
        self,
        name: str,
        *,
        metrics: RuntimeMetrics,
        rate_limiter: ExponentialBackoff | None = None,
        group: Callable[[T], Hashable] = _one_group,
        group_limit: int = sys.maxsize,
    ) -> None:
        self._rate_limiter = rate_limiter or ExponentialBackoff()
        self._group = group
        self._groups = _Groups[T](group_limit)
        self._ready: dict[T, float] = {}  # since when
        self._delayed = _KeyedHeap[T]()  # by due time
        self._dirty: set[T] = set()  # added while being processed
        self._priority: dict[T, int] = {}  # of all items that are ready, delayed or dirty
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
        """The number of items that are ready for a worker."""
        return len(self._ready)

    @property
    def delayed(self) -> int:
        """The number of items whose delay has not passed."""
        return len(self._delayed)

    @property
    def processing(self) -> int:
        """The number of items that are being processed."""
        return len(self._processing)

    @property
    def shutting_down(self) -> bool:
        """Whether `shut_down` was called."""
        return self._shutting_down

    def depth(self, priority: int) -> int:
        """Return the number of ready items with a priority."""
        return sum(self._priority[item] == priority for item in self._ready)

    def busy_seconds(self) -> list[float]:
        """Return how many seconds each item in progress has been processed."""
        if not self._processing:
            return []
        now = asyncio.get_running_loop().time()
        return [now - since for since in self._processing.values()]

    def add(
        self, item: T, *, priority: int = 0, after: float = 0.0, rate_limited: bool = False
    ) -> None:
        """Add an item; does nothing once the queue is shut down.

        Args:
            item: The item.
            priority: Items with a higher priority are processed first.
            after: Seconds until the item is ready; at once if not positive.
            rate_limited: Wait for the rate limiter's delay, or for `after` if that is longer.
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
        """Reset the rate limiter for an item; this does not remove it from the queue."""
        self._rate_limiter.forget(item)

    async def get(self) -> tuple[T, int] | None:
        """Wait for an item and remove it from the queue; the caller must call `done`.

        Returns:
            The item and its priority, or None once the queue is shut down.
        """
        while (item := self._groups.pop()) is None:
            if self._shutting_down:
                return None
            await self._wait()
        priority = self._priority.pop(item)
        now = asyncio.get_running_loop().time()
        self._metrics.waited(now - self._ready.pop(item))
        self._processing[item] = now
        self._idle.clear()
        return item, priority

    def done(self, item: T) -> None:
        """Finish an item that `get` returned; if it is dirty, it becomes ready again."""
        since = self._processing.pop(item)
        self._metrics.worked(asyncio.get_running_loop().time() - since)
        if item in self._dirty:
            self._dirty.discard(item)
            self._push(item)
        if self._groups.release(self._group(item)):
            self._wake_one()
        if not self._processing:
            self._idle.set()

    def shut_down(self) -> None:
        """Accept no more items, drop those in the queue, and end idle workers.

        client-go still hands out ready items. Here they are dropped, so that a backlog does not
        delay the shutdown: the next process lists everything again and finds the same work.
        """
        self._shutting_down = True
        for waiting in (self._ready, self._groups, self._delayed, self._dirty, self._priority):
            waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            self._wake_one()

    async def drained(self) -> None:
        """Wait until no item is being processed; call `shut_down` first."""
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
        self._ready.setdefault(item, asyncio.get_running_loop().time())
        self._metrics.show_depth(priority)
        if self._groups.push(self._group(item), item, priority):
            self._wake_one()

    async def _wait(self) -> None:
        """Wait to be woken; a worker that is cancelled after it was woken wakes the next one."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._wake_one()
            raise

    def _wake_one(self) -> None:
        """Wake one waiting worker, if any: there is only one new item."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _schedule(self) -> None:
        """Set the timer to the earliest due time or before; no timer if nothing is delayed."""
        due = self._delayed.peek()
        if self._timer is not None and (due is None or due < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if self._timer is None and due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._release)

    def _release(self) -> None:
        """Make due items ready; there may be none, if they have been discarded."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        while (due := self._delayed.peek()) is not None and due <= now:
            self._make_ready(self._delayed.pop())
        self._schedule()
