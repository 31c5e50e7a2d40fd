"""Runs the operator with a clock that can be set, and that stops before a write on request.

    python tampered_operator.py DIRECTORY operator ...

Files in the directory tell what to do: `clock` holds the hours by which the clock is wrong; where
`freeze` is, the process removes it and stops when it is about to ask whether it may send its next
write.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mcp_operator.cli import main
from mcp_operator.core.clock import SystemClock
from mcp_operator.runtime.transport import Transport

directory = Path(sys.argv.pop(1))
guarded = Transport._guarded


def now(_: SystemClock) -> datetime:
    try:
        hours = float((directory / "clock").read_text(encoding="utf-8"))
    except FileNotFoundError:
        hours = 0.0
    return datetime.now(UTC) + timedelta(hours=hours)


async def freeze_and_send(self: Transport, body: bytes) -> AsyncIterator[bytes]:
    wish = directory / "freeze"
    if b"holderIdentity" not in body and wish.exists():
        wish.unlink()
        os.kill(os.getpid(), signal.SIGSTOP)
    async for part in guarded(self, body):
        yield part


SystemClock.now = now  # type: ignore[assignment, method-assign]  # of all who ask
Transport._guarded = freeze_and_send  # type: ignore[method-assign]  # where it asks, then sends
sys.exit(main())
