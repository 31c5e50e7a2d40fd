"""Tells the person in front of the terminal what happens, why it matters and how long it took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

WIDTH = 78


class Narrator:
    """Numbers the steps and times them."""

    def __init__(self) -> None:
        self._step = 0
        self._started = time.monotonic()

    @contextlib.contextmanager
    def step(self, title: str, proves: str) -> Iterator[None]:
        """Announce a step before it is taken, and its time afterwards."""
        self._step += 1
        print(f"\n{self._step:>2}. {title}")
        self.say(proves)
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self.say(f"FAILED after {time.monotonic() - started:.2f} s")
            raise
        self.say(f"ok, {time.monotonic() - started:.2f} s")

    def say(self, text: str) -> None:
        """Print lines that belong to the step."""
        for line in text.splitlines():
            print(f"    {line}".rstrip(), flush=True)

    def excerpt(self, text: str) -> None:
        """Print a quotation, cut to what is worth reading."""
        line = " ".join(text.split())
        self.say(f"> {line}" if len(line) < WIDTH else f"> {line[:WIDTH]}…")

    @property
    def seconds(self) -> float:
        """The time since the beginning."""
        return time.monotonic() - self._started
