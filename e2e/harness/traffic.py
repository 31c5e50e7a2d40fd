"""The load on servers during a test, and what its summary must show."""

from __future__ import annotations

import os
from typing import Any, Final

RATE: Final = float(os.environ.get("E2E_RATE", "200"))
"""Calls per second, half of them on new connections."""

SECONDS: Final = 600.0
"""The longest duration of a load. Each test ends it when it has seen enough."""

MIN_CALLS: Final = 500
"""The number of answered calls that a load needs to prove something."""


def assert_nothing_failed(summary: dict[str, Any]) -> None:
    """Check that a load had enough calls, and no failure at all."""
    print(summary)  # noqa: T201 - pytest shows it with -rP, and if the test fails
    assert summary["failures"] == {}, summary
    assert summary["calls"] >= MIN_CALLS, summary
