"""A user at a terminal, who answers the prompts of a command in this process."""

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
"""The endings of prompts."""


class Typist:
    """Reads the terminal, and types one answer after the other.

    Attributes:
        seen: The output on the terminal.
    """

    def __init__(self, screen: int) -> None:
        self._screen = screen
        self.seen = ""

    async def answer(self, *answers: str) -> None:
        """Wait for a prompt for each answer, and type it; Ctrl-D is `\\x04`."""
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
    """Use a terminal without echo as the standard input and the standard error."""
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
