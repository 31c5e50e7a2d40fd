"""Runs the operator with a clock that can be set, and frozen at the worst moment on request.

    python tampered_operator.py DIRECTORY operator ...

Two files in the directory tell what to do: `clock` holds the hours by which the clock is wrong, and
where `freeze` is, the process removes it and stops when it is about to send its next write.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp.connector import Connection

from mcp_operator.cli import main
from mcp_operator.core.clock import SystemClock

directory = Path(sys.argv.pop(1))
send = aiohttp.ClientRequest.send


def now(_: SystemClock) -> datetime:
    try:
        hours = float((directory / "clock").read_text(encoding="utf-8"))
    except FileNotFoundError:
        hours = 0.0
    return datetime.now(UTC) + timedelta(hours=hours)


async def freeze_and_send(
    request: aiohttp.ClientRequest, connection: Connection
) -> aiohttp.ClientResponse:
    wish = directory / "freeze"
    if request.method == "PATCH" and wish.exists():
        wish.unlink()
        os.kill(os.getpid(), signal.SIGSTOP)
    return await send(request, connection)


SystemClock.now = now  # type: ignore[assignment, method-assign]  # of all who ask
aiohttp.ClientRequest.send = freeze_and_send  # type: ignore[assignment, method-assign]
sys.exit(main())
