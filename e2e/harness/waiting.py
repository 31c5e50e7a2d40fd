"""Observes a cluster from outside, and waits for its state."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from e2e.harness.kubectl import HANG_SECONDS, CommandError

T = TypeVar("T")

PAUSE = 0.5
"""Seconds between two checks."""


def eventually(look: Callable[[], T | None], what: str) -> T:
    """Check until there is a result, and return it.

    Args:
        look: Returns a true value when it is done. A failed kubectl command means "not yet".
        what: Completes the sentence "timed out waiting for …".
    """
    deadline = time.monotonic() + HANG_SECONDS
    last: object = None
    while time.monotonic() < deadline:
        try:
            if seen := look():
                return seen
            last = seen
        except CommandError as error:
            last = error
        time.sleep(PAUSE)
    raise AssertionError(f"timed out waiting for {what}, {HANG_SECONDS:.0f} s; last seen: {last}")


def fetch(port: int, path: str) -> str:
    """Return the body of a page on a forwarded port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=HANG_SECONDS) as answer:
        text: str = answer.read().decode()
        return text
