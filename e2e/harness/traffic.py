"""How hard servers are called while something happens to them, and what is held against it."""

from __future__ import annotations

import os
from typing import Any, Final

RATE: Final = float(os.environ.get("E2E_RATE", "200"))
"""Calls a second, half of them on connections of their own."""

SECONDS: Final = 600.0
"""The longest that a load goes on; each test ends it when it has seen enough."""

MIN_CALLS: Final = 500
"""Calls that must have been answered for a load to prove something, however long they took."""


def assert_nothing_failed(summary: dict[str, Any]) -> None:
    """Hold a load's summary to some calls, and to no failure at all."""
    print(summary)  # noqa: T201 - pytest shows it with -rP, and when something fails
    assert summary["failures"] == {}, summary
    assert summary["calls"] >= MIN_CALLS, summary
