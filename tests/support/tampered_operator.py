"""Runs the operator with a clock that can be set, and frozen at the worst moment on request.

    python tampered_operator.py DIRECTORY operator ...

Files in the directory tell what to do: `clock` holds the hours by which the clock is wrong; where
`freeze-asking` is, the process removes it and stops when it is about to ask whether it may send its
next write, without an alarm that would end it when it goes on; and where `freeze-allowed` is, when
that has just been allowed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mcp_operator.cli import main
from mcp_operator.core.alarm import end_process_in
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
    def guard_and_freeze() -> None:
        guard()
        freeze("freeze-allowed")

    def freeze(moment: str) -> None:
        wish = directory / moment
        if head.startswith(b"PATCH ") and wish.exists():
            wish.unlink()
            if moment == "freeze-asking":
                end_process_in(None)
            os.kill(os.getpid(), signal.SIGSTOP)

    freeze("freeze-asking")
    return await ask(self, head, body, guard_and_freeze, within=within, silence=silence)


SystemClock.now = now  # type: ignore[assignment, method-assign]  # of all who ask
Connection.ask = freeze_and_ask  # type: ignore[method-assign]  # where it asks, then sends
sys.exit(main())
