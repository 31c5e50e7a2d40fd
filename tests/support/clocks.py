"""Clocks that tests can set."""

from __future__ import annotations

from datetime import UTC, datetime


class SettableClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time
