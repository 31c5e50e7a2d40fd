"""Questions to the person at the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

LINE: Final = 4096
"""The most bytes that a terminal returns as one line."""


def is_interactive() -> bool:
    """Tell whether the user can be asked: standard input and standard error are terminals."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask(question: str) -> str | None:
    """Ask a question, and return the typed line; None if the input ends (Ctrl-D).

    The event loop waits for input instead of a thread, because Ctrl-C cannot stop a thread.
    """
    sys.stderr.write(question)
    sys.stderr.flush()
    loop, source = asyncio.get_running_loop(), sys.stdin.fileno()
    readable = asyncio.Event()
    loop.add_reader(source, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(source)
    line = os.read(source, LINE)
    return line.decode(errors="replace") if line else None
