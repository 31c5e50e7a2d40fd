"""A controller: event sources, a queue of keys, and workers that reconcile them.

Only the controller times, counts, logs and backs off; the module `reconcile` describes the rules.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Literal, Self

from mcp_operator.core import logs
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.instruments import ControllerMetrics
from mcp_operator.core.meta import Key, key_of
from mcp_operator.core.metrics import ERROR_RESULTS, RuntimeMetrics
from mcp_operator.core.tasks import STEP_SECONDS, describe
from mcp_operator.runtime.errors import ApiError, LeadershipLostError, StaleCacheError
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.predicates import Predicate
from mcp_operator.runtime.ratelimit import ExponentialBackoff
from mcp_operator.runtime.reconcile import (
    Postponed,
    Reconciler,
    Result,
    RetryAfterError,
    TerminalError,
)
from mcp_operator.runtime.sources import Mapper, Source
from mcp_operator.runtime.workqueue import LOW_PRIORITY, WorkQueue

logger = logging.getLogger(__name__)

MAX_CONCURRENT: Final = 4
"""Keys reconciled concurrently: more than Go's 1, as workers mostly wait for the API server."""

MAX_MAPPING: Final = 100
"""Events of a namespace that can wait to be mapped in steps. Further events are mapped at once. So
is a deletion, together with the waiting events of its object: other handlers then drop the state
that mappers need, and a mapper that gets an older event later would record it again for good."""

FEW_KEYS: Final = 20
"""Keys of an event that are enqueued at once, however long that takes."""

RECONCILE_TIMEOUT: Final = 120.0
"""Seconds after which a reconciliation is cancelled; controller-runtime ReconciliationTimeout."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a reconciliation ended, and when its key is reconciled again.

    Attributes:
        result: The value of the label `result`, one of `RESULTS`.
        after: Seconds until the next reconciliation; None to wait for a change.
        failures: What the rate limiter does with the failures of the key: it forgets them, counts
            another, which can increase the delay, or keeps them as they are.
    """

    result: Literal["success", "error", "requeue", "requeue_after", "terminal"]
    after: float | None = None
    failures: Literal["forget", "count", "keep"] = "forget"


def _are_of_one(earlier: Event, event: Event) -> bool:
    return key_of(earlier.object) == key_of(event.object)


class Controller:
    """Reconciles the objects of one kind.

    It enqueues keys as soon as its sources run, and processes them while `run` is active. A standby
    replica is therefore warm: its queue is full when it takes over.

    Args:
        name: The label `controller` of the metrics, and the field `controller` of the logs.
        kind: The kind of the objects.
        reconciler: Reconciles a key.
        metrics: The metrics to record.
        max_concurrent: Keys processed concurrently, never the same key twice. Each namespace gets
            at most one worker less, so that one is free for the others.
        timeout: Seconds that one reconciliation may take.
        rate_limiter: Sets the delays between retries; None for the default delays.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        reconciler: Reconciler,
        *,
        metrics: RuntimeMetrics,
        max_concurrent: int = MAX_CONCURRENT,
        timeout: float = RECONCILE_TIMEOUT,
        rate_limiter: ExponentialBackoff | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.queue = WorkQueue[Key](
            name,
            metrics=metrics,
            rate_limiter=rate_limiter,
            group=attrgetter("namespace"),
            group_limit=max(1, max_concurrent - 1),
        )
        self._reconciler = reconciler
        self._max_concurrent = max_concurrent
        self._timeout = timeout
        self._sources: list[Source] = []
        self._failing: set[Key] = set()
        self._lanes: dict[str, deque[tuple[Event, Iterator[Key]]]] = {}  # by namespace
        self._metrics = ControllerMetrics(name, kind, metrics)
        metrics.active_workers.labels(name).set_function(lambda: self.queue.processing)
        metrics.max_concurrent_reconciles.labels(name).set(max_concurrent)

    def watch(self, source: Source, mapper: Mapper, *predicates: Predicate) -> Self:
        """Enqueue the keys that `mapper` returns for each event that passes all `predicates`."""

        def keys(event: Event) -> Iterator[Key]:
            if all(predicate(event) for predicate in predicates):
                yield from mapper(event)

        def handle(event: Event) -> None:
            work, namespace = (event, keys(event)), key_of(event.object).namespace
            lane = self._lanes.get(namespace)
            if lane is None:
                if not self._enqueue_for(*work, until=time.monotonic() + STEP_SECONDS):
                    self._lanes[namespace] = deque([work])
                    self._map_later(namespace)
                return
            if event.type == "Deleted":
                waiting = [each for each in lane if _are_of_one(each[0], event)]
                for each in (*waiting, work):
                    self._enqueue_for(*each, until=math.inf)
            elif len(lane) >= MAX_MAPPING:
                self._enqueue_for(*work, until=math.inf)
            else:
                lane.append(work)

        source.add_handler(handle)
        self._sources.append(source)
        return self

    def _enqueue_for(self, event: Event, keys: Iterator[Key], *, until: float) -> bool:
        """Enqueue the keys of an event; return False if the time was too short for all of them."""
        try:
            for number, key in enumerate(keys, start=1):
                self.enqueue(key, priority=LOW_PRIORITY if event.initial else 0)
                if number >= FEW_KEYS and time.monotonic() > until:
                    return False
        except Exception:
            # An object that a mapper cannot handle must not stop the informer for all others.
            self._metrics.panics.inc()
            namespace, name = key_of(event.object)
            with logs.bind(controller=self.name, namespace=namespace, name=name):
                logger.exception("Cannot map an event to objects; nothing is reconciled for it")
        return True

    def _map_later(self, namespace: str) -> None:
        """Map the waiting events of a namespace in the next loop iterations, a step in each."""

        def step() -> None:
            lane, until = self._lanes[namespace], time.monotonic() + STEP_SECONDS
            while lane and self._enqueue_for(*lane[0], until=until):
                lane.popleft()
            if lane:
                asyncio.get_running_loop().call_soon(step)
            else:
                del self._lanes[namespace]

        asyncio.get_running_loop().call_soon(step)

    def enqueue(self, key: Key, *, priority: int = 0) -> None:
        """Add a key to the queue; if it is already waiting, the higher priority counts."""
        self.queue.add(key, priority=priority)

    async def run(self) -> None:
        """Wait for the sources to sync, then work until the queue is shut down or cancelled."""
        for source in self._sources:
            await source.synced.wait()
        logger.info("Starting workers", extra={"controller": self.name})
        async with asyncio.TaskGroup() as workers:
            for number in range(self._max_concurrent):
                workers.create_task(self._work(), name=f"{self.name}-worker-{number}")

    async def drain(self) -> None:
        """Accept no more keys, and wait for those in progress."""
        self.queue.shut_down()
        await self.queue.drained()

    async def _work(self) -> None:
        while (taken := await self.queue.get()) is not None:
            key, priority = taken
            try:
                self._settle(key, priority, await self._reconcile(key))
            finally:
                self.queue.done(key)

    async def _reconcile(self, key: Key) -> _Outcome:
        fields = {"controller": self.name, "kind": self.kind, "namespace": key.namespace}
        with logs.bind(**fields, name=key.name, reconcile_id=f"{random.getrandbits(64):016x}"):
            started = asyncio.get_running_loop().time()
            outcome = await self._attempt(key)
            seconds = asyncio.get_running_loop().time() - started
            self._metrics.observe(outcome.result, seconds)
            logger.debug("Reconciled", extra={"result": outcome.result, "seconds": seconds})
            self._note_recovery(key, outcome)
            return outcome

    def _note_recovery(self, key: Key, outcome: _Outcome) -> None:
        """Log the first success after failures."""
        if outcome.result in ERROR_RESULTS:
            self._failing.add(key)
        elif key in self._failing and outcome.result != "requeue":
            self._failing.discard(key)
            logger.info("Reconciliation is successful again")

    async def _attempt(self, key: Key) -> _Outcome:
        try:
            result = await self._within_timeout(key)
        except OperatorError as error:
            return self._failed(error)
        except Exception as error:
            self._metrics.panics.inc()
            logger.exception("Unexpected error while reconciling", extra={"error": describe(error)})
            return _Outcome("error", after=0.0, failures="count")
        if result is None or result.requeue_after is None:
            return _Outcome("success")
        failures: Literal["forget", "keep"] = "keep" if isinstance(result, Postponed) else "forget"
        return _Outcome("requeue_after", after=result.requeue_after, failures=failures)

    async def _within_timeout(self, key: Key) -> Result | None:
        deadline = asyncio.timeout(self._timeout)
        try:
            async with deadline:
                return await self._reconciler.reconcile(key)
        except TimeoutError as error:
            if not deadline.expired():
                raise  # the reconciler's own
            self._metrics.timeouts.inc()
            raise OperatorError(f"not done within {self._timeout:g} s, cancelled") from error

    def _failed(self, error: OperatorError) -> _Outcome:
        match error:
            case TerminalError():
                self._metrics.terminal_errors.inc()
                outcome = _Outcome("terminal")
            case RetryAfterError():
                outcome = _Outcome("error", after=error.retry_after)
            # Another client wrote first, and the cache will show it; or another process may lead.
            case ApiError(is_conflict=True) | LeadershipLostError() | StaleCacheError():
                outcome = _Outcome("requeue", after=0.0, failures="count")
            case ApiError():
                outcome = _Outcome("error", after=error.retry_after or 0.0, failures="count")
            case _:
                outcome = _Outcome("error", after=0.0, failures="count")
        # The transport logs once that the API server cannot be reached.
        is_away = isinstance(error, ApiError) and error.is_unreachable
        is_news = outcome.result in ERROR_RESULTS and not is_away
        logger.log(
            logging.ERROR if is_news else logging.DEBUG,
            "Reconciliation failed",
            extra={"error": describe(error), "result": outcome.result},
        )
        return outcome

    def _settle(self, key: Key, priority: int, outcome: _Outcome) -> None:
        if outcome.failures == "forget":
            self.queue.forget(key)
        if outcome.after is not None:
            counted = outcome.failures == "count"
            self.queue.add(key, priority=priority, after=outcome.after, rate_limited=counted)
