"""Writes statuses, and records an Event and logs a line when a condition changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp_operator.api.conditions import Condition, merge, transitions
from mcp_operator.api.reasons import Reason
from mcp_operator.controllers.event_reasons import EVENT_CONDITIONS, EventReason, event_type
from mcp_operator.controllers.recorder import EventRecorder
from mcp_operator.core.clock import Clock, rfc3339
from mcp_operator.core.compare import semantically_equal
from mcp_operator.core.meta import Object, Resource, generation_of
from mcp_operator.runtime.status import StatusWriter

logger = logging.getLogger(__name__)

Conditions = Sequence[Mapping[str, Any]]

INITIAL_REASONS = frozenset(
    {
        Reason.SERVER_NOT_PROGRAMMED,
        Reason.NO_READY_PODS,
        Reason.PROPAGATING,
        Reason.UNAVAILABLE,
        Reason.HEALTHY,
    }
)
"""Reasons that every object has on its way to another state. They become Events only if they end a
better state: not at first, not if the status stays the same, and not after a state in `AT_REST`."""

AT_REST = frozenset({Reason.DISABLED, Reason.SCALED_TO_ZERO})
"""Reasons why Ready is True although nothing is served."""


class StatusReporter:
    """Merges conditions into a status, writes it if it differs, and records transitions."""

    def __init__(self, writer: StatusWriter, recorder: EventRecorder, clock: Clock) -> None:
        self._writer = writer
        self._recorder = recorder
        self._clock = clock

    def now(self) -> str:
        """Return the current time in the format of statuses."""
        return rfc3339(self._clock.now())

    def tell(self, raw: Object, reason: EventReason, note: str) -> None:
        """Record an Event that is not about a condition."""
        self._recorder.event(raw, type=reason.type, reason=reason, note=note)

    async def write(
        self,
        resource: Resource,
        raw: Object,
        fields: Object,
        conditions: Iterable[Condition],
        *,
        stamp: str = "",
    ) -> bool:
        """Write a status if it differs from the current one.

        Args:
            resource: The object's resource.
            raw: The object as cached.
            fields: The status without `observedGeneration` and `conditions`; None drops a field.
            conditions: All conditions.
            stamp: The field for the time at which anything else in the status last changed.

        Returns:
            Whether it was written.

        Raises:
            ApiError: The API server rejected the request.
        """
        current: Object = raw.get("status") or {}
        generation = generation_of(raw)
        merged = merge(
            current.get("conditions") or (),
            conditions,
            generation=generation,
            now=self._clock.now(),
        )
        status: Object = {name: value for name, value in fields.items() if value is not None}
        status |= {"observedGeneration": generation, "conditions": merged}
        if stamp:
            status[stamp] = current.get(stamp, "")
            if not semantically_equal(status, current):
                status[stamp] = self.now()
        written = await self._writer.write(resource, raw, status)
        if written:
            self._record_transitions(raw, current.get("conditions") or (), merged)
        return written

    def _record_transitions(self, raw: Object, before: Conditions, merged: Conditions) -> None:
        known = {condition["type"]: condition for condition in before}
        for condition in transitions(before, merged):
            kind, reason = condition["type"], condition["reason"]
            if kind not in EVENT_CONDITIONS or _is_under_way(known.get(kind), condition):
                continue
            note = condition["message"]
            fields = {"condition": kind, "status": condition["status"], "reason": reason}
            # The lines of a reconciliation have the object's name; `message` is the line's own.
            logger.info("A condition changed", extra={**fields, "detail": note})
            self._recorder.event(
                raw,
                type=event_type(kind, condition["status"], reason),
                reason=reason,
                note=note,
            )


def _is_under_way(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    """Return whether a transition only leads to another one, which gets an Event."""
    if now["reason"] not in INITIAL_REASONS:
        return False
    return before is None or before["status"] == now["status"] or before.get("reason") in AT_REST
