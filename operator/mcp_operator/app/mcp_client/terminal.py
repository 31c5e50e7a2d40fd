"""Questions to the person at the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

LINE: Final = 4096
"""Bytes that a terminal hands over at most as one line."""


def is_interactive() -> bool:
    """Tell whether somebody can be asked: the input is a terminal, and so is where we ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask(question: str) -> str | None:
    """Ask a question, and return the line that is typed; None where the input ends (Ctrl-D).

    The event loop reads, and no thread: one that reads could not be stopped by Ctrl-C.
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
