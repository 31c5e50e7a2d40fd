"""Draws the output of a command as an animated SVG: a terminal that scrolls, without a script.

All lines are in the SVG from the beginning, one below the other. One animation moves them up as a
terminal scrolls; another moves a curtain down that hides the lines that are not written yet. That
takes two animations for any number of lines, and half a percent of the size of a picture per line.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

STYLES: Final = {"1": "b", "2": "d", "31": "r", "32": "g"}
"""The CSS classes of SGR sequences: bold, dim, red, green."""

LINE: Final = 17
CHARACTER: Final = 7.83
FONT: Final = 13
MARGIN: Final = 14
"""Pixels. A monospaced character is 0.602 times as wide as its font size."""

REST_SECONDS: Final = 6.0
"""How long the end is shown before the animation starts again."""

_SGR: Final = re.compile(r"\x1b\[([\d;]*)m")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_STYLE: Final = """\
text{{font:{font}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;\
fill:#d4d7dd;white-space:pre}}
.b{{font-weight:bold;fill:#fff}}.d{{fill:#9aa1ad}}.g{{fill:#7ec98f}}.r{{fill:#f2777a}}
.lines,.curtain{{animation:{seconds:.2f}s step-end infinite}}
.lines{{animation-name:l;transform:translateY({end_lines}px)}}
.curtain{{animation-name:c;transform:translateY({end_curtain}px)}}
@media(prefers-reduced-motion:reduce){{.lines,.curtain{{animation:none}}}}
"""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of output, and its time in seconds since the beginning."""

    seconds: float
    text: str


class DrawingError(ValueError):
    """The text uses a terminal feature that is not supported, such as moving the cursor."""


def render(events: Sequence[Event], columns: int, rows: int) -> str:
    """Return the SVG.

    Args:
        events: One line each, in the order of their times.
        columns: The width of the terminal; longer lines are cut.
        rows: The height of the terminal.

    Raises:
        DrawingError: A line has control characters other than those of styles.
    """
    width, height = round(columns * CHARACTER) + 2 * MARGIN, rows * LINE + 2 * MARGIN
    total = events[-1].seconds + REST_SECONDS
    lines, curtain = zip(*(_position(count, rows) for count in range(len(events) + 1)), strict=True)
    times = [0.0, *(event.seconds / total * 100 for event in events)]
    style = _STYLE.format(font=FONT, seconds=total, end_lines=lines[-1], end_curtain=curtain[-1])
    drawn = "\n".join(_text(index, event, columns) for index, event in enumerate(events))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" aria-label="A recording of make demo">
<style>
{style}{_keyframes("l", times, lines)}
{_keyframes("c", times, curtain)}
</style>
<clipPath id="w"><rect x="{MARGIN}" y="{MARGIN}" width="{width - 2 * MARGIN}" \
height="{rows * LINE}"/></clipPath>
<rect width="{width}" height="{height}" rx="8" fill="#1b1e24"/>
<g clip-path="url(#w)"><g class="lines">
{drawn}
</g><rect class="curtain" y="{MARGIN}" width="{width}" height="{height}" fill="#1b1e24"/></g>
</svg>
"""


def _position(count: int, rows: int) -> tuple[int, int]:
    """Return the positions of the lines and of the curtain after `count` lines."""
    return -LINE * max(0, count - rows), LINE * min(count, rows)


def _keyframes(name: str, times: Sequence[float], places: Sequence[int]) -> str:
    """Return a CSS animation that is at each place from its time (a percentage) on."""
    found: dict[str, int] = {}
    for when, place in zip(times, places, strict=True):
        found[f"{when:.2f}".rstrip("0").rstrip(".")] = place
    steps = list(found.items())
    kept = [
        step
        for before, step in zip([None, *steps], steps, strict=False)
        if before is None or before[1] != step[1]
    ]
    inside = "".join(f"{when}%{{transform:translateY({place}px)}}" for when, place in kept)
    return f"@keyframes {name}{{{inside}100%{{transform:translateY({places[-1]}px)}}}}"


def _text(index: int, event: Event, columns: int) -> str:
    y = MARGIN + LINE * index + FONT
    return f'<text x="{MARGIN}" y="{y}">{"".join(_runs(event.text.rstrip(), columns))}</text>'


def _runs(line: str, columns: int) -> Iterator[str]:
    """Yield the parts of a line that have the same style, escaped."""
    style, left = "", columns
    for position, part in enumerate(_SGR.split(line)):
        if position % 2:
            style = STYLES.get(part, "")
            continue
        if _CONTROL.search(part):
            raise DrawingError(f"this line does more than to write and to color: {line!r}")
        text, left = part[:left], max(0, left - len(part))
        if text:
            yield f'<tspan class="{style}">{escape(text)}</tspan>' if style else escape(text)
