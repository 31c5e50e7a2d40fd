"""Tells the user in front of the terminal what happens, why it matters and how long it took.

`PACE=1` is for an audience. It shows the applied YAML and the full answers, and pauses after each
step, long enough to read it aloud. `PACE=0.5` halves the pauses. Without PACE, there are no pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator

import yaml

WIDTH = 78

SECONDS_A_LINE = 0.35
"""How long an audience needs to read one line, at PACE=1."""

_LONGEST = 9.0
"""Seconds of the longest pause at PACE=1."""

_BOLD, _GREEN, _RED, _DIM, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"


class PaceError(Exception):
    """PACE is not a valid number; the text says so."""


def pace() -> float:
    """Return the pace from the variable PACE: 0 without pauses, 1 for an audience.

    Raises:
        PaceError: PACE is not a number, or is negative.
    """
    text = os.environ.get("PACE", "") or "0"
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise PaceError(f"PACE is {text!r}; use a number of at least 0, such as PACE=1")
    return found


class Narrator:
    """Numbers and times the steps. With a pace above 0, it shows more, and pauses."""

    def __init__(self, speed: float = 0.0, *, colors: bool | None = None) -> None:
        """Set up.

        Args:
            speed: The pace, as `pace` returns it.
            colors: Whether to use colors. The default is yes in a terminal without NO_COLOR.
        """
        self._step = 0
        self._started = time.monotonic()
        self._speed = speed
        self._unread = 0
        self._colors = (
            sys.stdout.isatty() and "NO_COLOR" not in os.environ if colors is None else colors
        )

    @contextlib.contextmanager
    def step(self, title: str, proves: str) -> Iterator[None]:
        """Announce a step, and print its duration afterwards."""
        self._step += 1
        print(f"\n{self._styled(_BOLD, f'{self._step:>2}. {title}')}")
        self.say(proves, style=_DIM)
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self.say(f"FAILED after {time.monotonic() - started:.2f} s", style=_RED)
            raise
        self.say(f"ok, {time.monotonic() - started:.2f} s", style=_GREEN)

    @contextlib.asynccontextmanager
    async def scene(self, title: str, proves: str, why: str = "") -> AsyncIterator[None]:
        """Run a step; an audience gets an explanation, and time to read.

        Args:
            title: What the step does.
            proves: What that shows, in one line.
            why: The explanation for an audience.
        """
        with self.step(title, proves):
            if why:
                self.tell(why)
            yield
        await self.pause()

    def say(self, text: str, *, style: str = "") -> None:
        """Print indented lines of the step."""
        for line in text.splitlines():
            self._unread += 1
            print(f"    {self._styled(style, line)}".rstrip(), flush=True)

    def tell(self, text: str) -> None:
        """Print an explanation for an audience."""
        if self._speed:
            self.say(textwrap.fill(text, WIDTH))

    def show(self, *objects: object) -> None:
        """Show objects as YAML to an audience."""
        if self._speed:
            text = "---\n".join(
                yaml.safe_dump(one, sort_keys=False, width=WIDTH) for one in objects
            )
            self.say("\n" + textwrap.indent(text, "  | "))

    def answer(self, what: str, text: str) -> None:
        """Print a request and its answer: one line each, or in full for an audience."""
        if not self._speed:
            self.excerpt(what)
            self.say(f"  {cut(text)}")
            return
        with contextlib.suppress(json.JSONDecodeError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        self.say(f"> {what}\n" + textwrap.indent(text.strip(), "  < "))

    def excerpt(self, text: str) -> None:
        """Print a quotation on one line."""
        self.say(f"> {cut(text)}")

    async def pause(self) -> None:
        """Pause until an audience has read what was printed since the last pause."""
        lines, self._unread = self._unread, 0
        await asyncio.sleep(self._speed * min(_LONGEST, lines * SECONDS_A_LINE))

    @property
    def seconds(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self._started

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if style and self._colors else text


def cut(text: str) -> str:
    """Return a text as one line of limited length."""
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
