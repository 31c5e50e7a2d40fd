"""Runs the operator with a clock that can be set, and frozen at the worst moment on request.

    python tampered_operator.py DIRECTORY operator ...

Two files in the directory tell what to do: `clock` holds the hours by which the clock is wrong, and
where `freeze` is, the process removes it and stops when it is about to send its next write.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mcp_operator.cli import main
from mcp_operator.core.clock import SystemClock
from mcp_operator.core.http1 import Answer, Connection

directory = Path(sys.argv.pop(1))
ask = Connection.ask


def now(_: SystemClock) -> datetime:
    try:
        hours = float((directory / "clock").read_text(encoding="utf-8"))
    except FileNotFoundError:
        hours = 0.0
    return datetime.now(UTC) + timedelta(hours=hours)


async def freeze_and_ask(
    self: Connection,
    head: bytes,
    body: bytes,
    guard: Callable[[], None],
    *,
    within: float | None,
    silence: float | None,
) -> Answer:
    wish = directory / "freeze"
    if head.startswith(b"PATCH ") and wish.exists():
        wish.unlink()
        os.kill(os.getpid(), signal.SIGSTOP)
    return await ask(self, head, body, guard, within=within, silence=silence)


SystemClock.now = now  # type: ignore[assignment, method-assign]  # of all who ask
Connection.ask = freeze_and_ask  # type: ignore[method-assign]  # the last step before the guard
sys.exit(main())
