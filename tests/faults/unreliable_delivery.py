"""Delivery of notifications from caches to handlers that drops, delays and reorders them."""

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
"""The maximum delay of a notification in seconds."""


@dataclass(frozen=True)
class DeliveryFaults:
    """The probability of each fault; all notifications are delayed and reordered."""

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
    """Merge two notifications about one object, if that is possible."""
    if key_of(first.object) != key_of(second.object) or first.new is None or second.old is None:
        return None
    type_ = "Deleted" if second.new is None else first.type
    old = second.old if second.new is None else first.old
    return second._replace(type=type_, old=old)


@contextmanager
def unreliable_delivery(operator: Operator, faults: DeliveryFaults, seed: int) -> Iterator[None]:
    """Deliver notifications unreliably; deliver those that are pending when the block ends."""
    chance = random.Random(seed)  # noqa: S311 - a failure must be reproducible
    original = {informer: [*informer.processor._handlers] for informer in operator.informers}
    deliveries = []
    for informer, handlers in original.items():
        unreliable = [UnreliableDelivery(handler, faults, chance) for handler in handlers]
        informer.processor._handlers[:] = unreliable
        deliveries += unreliable
    yield
    for informer, handlers in original.items():
        informer.processor._handlers[:] = handlers
    for delivery in deliveries:
        delivery.deliver_all()
