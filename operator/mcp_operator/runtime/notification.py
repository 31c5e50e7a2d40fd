"""What an informer passes to its event handlers: one change of one object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from mcp_operator.core.meta import Object

EventType = Literal["Created", "Updated", "Deleted", "Generic"]
"""`Generic` asks for a reconciliation without a change of the object (a timer, a resync)."""


class Event(NamedTuple):
    """One change, with the object before and after it.

    Attributes:
        type: What happened.
        old: The object before the change; None if it was created.
        new: The object after the change; None if it was deleted.
        initial: The event reports existing state: it belongs to the initial list (client-go's
            `isInInitialList`) or to a resync (`Generic`). Current changes take precedence.
        final_state_unknown: The watch missed the deletion, and a relist found it (client-go's
            `DeletedFinalStateUnknown`); `old` is the last known state.
    """

    type: EventType
    old: Object | None
    new: Object | None
    initial: bool = False
    final_state_unknown: bool = False

    @property
    def object(self) -> Object:
        """The latest known state of the object.

        Raises:
            ValueError: The event carries no object.
        """
        newest = self.new if self.new is not None else self.old
        if newest is None:
            raise ValueError(f"a {self.type} event must carry the old object, the new one or both")
        return newest


Handler = Callable[[Event], None]
"""Called synchronously for each event. It must be fast and must not raise: it only enqueues."""
