"""Wall-clock time as an injected value.

Durations are measured with the event loop's monotonic `loop.time()`, which is virtual in tests.
Only timestamps that leave the process (status, leases, events) come from here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of wall-clock time."""

    def now(self) -> datetime:
        """Return the current time in UTC, timezone-aware."""
        ...


class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        """Return the current time in UTC, timezone-aware."""
        return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Format as `metav1.Time`: whole seconds, UTC, suffix `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def rfc3339_micro(moment: datetime) -> str:
    """Format as `metav1.MicroTime`: microseconds, UTC, suffix `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
