"""Delivery of notifications from the caches to their handlers that loses, delays and reorders."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mcp_operator.core.meta import key_of
from mcp_operator.runtime.notification import Event, Handler
from support.operators import Operator

LONGEST = 0.2
"""Seconds that a notification may be late."""


@dataclass(frozen=True)
class DeliveryFaults:
    """The probability of each fault of a notification; all are delayed and reordered."""

    dropped: float = 0.0
    merged: float = 0.3
    repeated: float = 0.2


class UnreliableDelivery:
    """Delivers the notifications of a handler unreliably."""

    def __init__(self, handler: Handler, faults: DeliveryFaults, chance: random.Random) -> None:
        self._handler = handler
        self._faults = faults
        self._chance = chance
        self._waiting: list[Event] = []

    def __call__(self, event: Event) -> None:
        if self._chance.random() < self._faults.dropped:
            return
        for number, other in enumerate(self._waiting):
            both = merged(other, event)
            if both is not None and self._chance.random() < self._faults.merged:
                self._waiting[number] = both
                return
        self._send(event)
        if self._chance.random() < self._faults.repeated:
            self._send(event)

    def deliver_all(self) -> None:
        while self._waiting:
            self._deliver()

    def _send(self, event: Event) -> None:
        self._waiting.append(event)
        later = self._chance.random() * LONGEST
        asyncio.get_running_loop().call_later(later, self._deliver)

    def _deliver(self) -> None:
        if self._waiting:
            self._handler(self._waiting.pop(self._chance.randrange(len(self._waiting))))


def merged(first: Event, second: Event) -> Event | None:
    """Merge two notifications about one object, if one can stand for both."""
    if key_of(first.object) != key_of(second.object) or first.new is None or second.old is None:
        return None
    type_ = "Deleted" if second.new is None else first.type
    old = second.old if second.new is None else first.old
    return second._replace(type=type_, old=old)


@contextmanager
def unreliable_delivery(operator: Operator, faults: DeliveryFaults, seed: int) -> Iterator[None]:
    """Deliver all notifications unreliably; those that wait at the end are delivered then."""
    chance = random.Random(seed)  # noqa: S311 - what fails has to fail again
    straight = {informer: [*informer.processor._handlers] for informer in operator.informers}
    posts = []
    for informer, handlers in straight.items():
        between = [UnreliableDelivery(handler, faults, chance) for handler in handlers]
        informer.processor._handlers[:] = between
        posts += between
    yield
    for informer, handlers in straight.items():
        informer.processor._handlers[:] = handlers
    for post in posts:
        post.deliver_all()
