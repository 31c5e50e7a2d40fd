"""Handles SIGTERM and Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets.

    The process should then stop gracefully. A second signal has its default effect, for users who
    do not want to wait.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def release() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    def on_signal() -> None:
        release()
        stop.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        release()


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run work for an interactive command until it ends, or until SIGINT or SIGTERM cancels it.

    Raises:
        Exception: The exception of the work.
    """
    with stop_signals() as stop:
        task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not task.done():
                task.cancel()
        with suppress(asyncio.CancelledError):
            await task
