"""Somebody at a terminal, who answers what a command of this process asks."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PROMPTS = (": ", ") ")
"""How lines end after which a command waits for an answer."""


class Typist:
    """Reads what the terminal shows, and types one answer after the other.

    Attributes:
        seen: What the terminal has shown.
    """

    def __init__(self, screen: int) -> None:
        self._screen = screen
        self.seen = ""

    async def answer(self, *answers: str) -> None:
        """Wait for as many prompts, and answer each; an answer of Ctrl-D is `\\x04`."""
        for text in answers:
            while not self.seen.endswith(PROMPTS):
                self.seen += await self._shown()
            self.seen += "\n"
            os.write(self._screen, text.encode() + (b"" if text == "\x04" else b"\n"))

    async def _shown(self) -> str:
        readable = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._screen, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._screen)
        return os.read(self._screen, 65536).decode()


@contextmanager
def typist(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typist]:
    """Make a terminal the standard input and the standard error; it does not echo."""
    screen, device = pty.openpty()
    modes = termios.tcgetattr(device)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(device, termios.TCSANOW, modes)
    with (
        os.fdopen(device, encoding="utf-8") as source,
        os.fdopen(os.dup(device), "w", encoding="utf-8") as shown,
        monkeypatch.context() as patch,
    ):
        patch.setattr(sys, "stdin", source)
        patch.setattr(sys, "stderr", shown)
        try:
            yield Typist(screen)
        finally:
            os.close(screen)
