"""Wall-clock time as an injected value.

Durations are measured with the event loop's own monotonic `loop.time()`, which tests run in virtual
time. Only timestamps that leave the process (status, leases, events) come from here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the wall-clock time."""

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Format as `metav1.Time`: whole seconds, UTC, suffix `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def rfc3339_micro(moment: datetime) -> str:
    """Format as `metav1.MicroTime`: microseconds, UTC, suffix `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
