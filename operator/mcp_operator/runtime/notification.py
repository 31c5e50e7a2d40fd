"""What an informer tells its handlers: one change of one object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from mcp_operator.core.meta import Object

EventType = Literal["Created", "Updated", "Deleted", "Generic"]
"""`Generic` stands for a nudge without a change of the object (a timer, a resync)."""


class Event(NamedTuple):
    """One change, with the object before and after it.

    Attributes:
        type: What happened.
        old: The object before; None when it was created.
        new: The object after; None when it was deleted.
        initial: Nothing happened just now: the event fills an informer for the first time
            (client-go's `isInInitialList`) or repeats what is known, to be on the safe side
            (a resync, as `Generic`). It may wait behind changes that happen now.
        final_state_unknown: The deletion itself was not seen, it was found out by a new list
            (client-go's `DeletedFinalStateUnknown`); `old` is the last state that was known.
    """

    type: EventType
    old: Object | None
    new: Object | None
    initial: bool = False
    final_state_unknown: bool = False

    @property
    def object(self) -> Object:
        """The object the event is about: the newest state that is known.

        Raises:
            ValueError: The event carries no object at all.
        """
        newest = self.new if self.new is not None else self.old
        if newest is None:
            raise ValueError(f"a {self.type} event must carry the old object, the new one or both")
        return newest


Handler = Callable[[Event], None]
"""Called synchronously for each event. Must be fast and must not raise: it only enqueues."""
