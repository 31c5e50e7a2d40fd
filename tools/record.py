"""Record a real run of the demo: docs/images/demo.cast for asciinema, and demo.svg for the README.

The demo runs in its own terminal, with PACE set. The recording contains its output with the times,
except for details of this machine: the folder of the checkout, temporary folders, and the duration
of each step. Waits are cut to a few seconds.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Final

from cast_svg import Event, render

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"

COLUMNS: Final = 128
"""The width of the widest table in the demo."""
ROWS: Final = 32

LONGEST_WAIT: Final = 4.0
"""Longer waits are cut to this number of seconds."""

SCRUBBED: Final = (
    (re.compile(re.escape(str(ROOT))), "mcp-operator"),
    (re.compile(r"/(?:tmp|var|home|root|Users)/[^\s:'\"]+"), "…"),
    (re.compile(r"(ok|FAILED)(?:, | after )[\d.]+ s"), r"\1"),
    (re.compile(r"All of it took \d+ s\. "), ""),
)
"""Patterns that are removed from the recording, or replaced."""


def main() -> int:
    """Record the demo; return its exit code, and write nothing if it is not 0."""
    events: list[Event] = []
    code = run([sys.executable, str(ROOT / "demo")], events)
    if code:
        sys.stderr.write("The demo failed, so nothing was recorded.\n")
        return code
    shown = list(shortened(scrubbed(events)))
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "demo.cast").write_text(cast(shown), encoding="utf-8")
    (IMAGES / "demo.svg").write_text(render(shown, COLUMNS, ROWS), encoding="utf-8")
    return 0


def run(command: list[str], events: list[Event]) -> int:
    """Run a command in a terminal; append its output by line, and return its exit code."""
    ours, its = pty.openpty()
    ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {"PACE": "1"} | os.environ | {"TERM": "xterm-256color"}
    began = time.monotonic()
    with (
        os.fdopen(ours, "r", encoding="utf-8", newline="") as output,
        subprocess.Popen(  # noqa: S603 - a command of this repository
            command, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True
        ) as process,
    ):
        os.close(its)
        with contextlib.suppress(OSError):  # Linux reports EIO once no process uses the terminal
            for line in output:
                events.append(Event(time.monotonic() - began, line))
                sys.stdout.write(line)
                sys.stdout.flush()
    return process.returncode


def scrubbed(events: list[Event]) -> Iterator[Event]:
    """Yield the events without details of this machine."""
    for event in events:
        text = event.text
        for pattern, replacement in SCRUBBED:
            text = pattern.sub(replacement, text)
        yield Event(event.seconds, text)


def shortened(events: Iterator[Event]) -> Iterator[Event]:
    """Yield the events with long waits cut."""
    before = skipped = 0.0
    for event in events:
        skipped += max(0.0, event.seconds - before - LONGEST_WAIT)
        before = event.seconds
        yield Event(round(event.seconds - skipped, 2), event.text)


def cast(events: list[Event]) -> str:
    """Return the events in asciinema's format (asciicast v2)."""
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "make demo"}
    lines = [header, *([event.seconds, "o", event.text] for event in events)]
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
