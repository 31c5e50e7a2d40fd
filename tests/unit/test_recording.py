"""The recording of the demo: how it is cleaned and drawn, and the committed files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import record
from cast_svg import LINE, DrawingError, Event, render

ROOT = Path(__file__).parents[2]
CAST = ROOT / "docs" / "images" / "demo.cast"
SVG = CAST.with_suffix(".svg")

MACHINE = re.compile(r"/(tmp|home|root|work|Users)\b|\d{4}-\d\d-\d\dT|took \d")

STEP = "\x1b[1m 1. A step\x1b[0m <&>\r\n"


def committed() -> tuple[dict[str, object], list[Event]]:
    header, *lines = map(json.loads, CAST.read_text(encoding="utf-8").splitlines())
    return header, [Event(seconds, text) for seconds, _, text in lines]


def text_of(svg: str) -> list[str]:
    space = "{http://www.w3.org/2000/svg}"
    tree = ET.fromstring(svg)  # noqa: S314 - our own
    return ["".join(one.itertext()) for one in tree.iter(f"{space}text")]


def test_the_committed_picture_is_drawn_from_the_committed_recording() -> None:
    header, events = committed()
    assert header["version"] == 2
    assert SVG.read_text(encoding="utf-8") == render(events, record.COLUMNS, record.ROWS)
    assert SVG.stat().st_size < 1_000_000


def test_the_committed_recording_is_complete_and_has_no_machine_names() -> None:
    _, events = committed()
    text = "".join(event.text for event in events)
    assert MACHINE.findall(text) == []
    assert "kubectl get mcps" in text
    assert "Everything was cleaned up." in text
    assert [event.seconds for event in events] == sorted(event.seconds for event in events)


def test_the_readme_shows_the_picture_on_its_first_screen() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert "(docs/images/demo.svg)" in first


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (f"at {record.ROOT}/demo\r\n", "at mcp-operator/demo\r\n"),
        ("kept at /var/cache/x.\r\n", "kept at …\r\n"),
        ("    ok, 12.34 s\r\n", "    ok\r\n"),
        ("All of it took 16 s. Everything was cleaned up.\r\n", "Everything was cleaned up.\r\n"),
        ("median 46 ms\r\n", "median 46 ms\r\n"),
    ],
)
def test_names_of_the_machine_are_removed(written: str, kept: str) -> None:
    assert list(record.scrubbed([Event(1, written)])) == [Event(1, kept)]


def test_long_waits_are_shortened_and_short_ones_kept() -> None:
    events = [Event(1, "a"), Event(61, "b"), Event(62.5, "c")]
    wait = record.LONGEST_WAIT
    assert [each.seconds for each in record.shortened(iter(events))] == [1, 1 + wait, 2.5 + wait]


def test_a_run_is_recorded_line_by_line_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PACE", raising=False)
    events: list[Event] = []
    script = "import os, sys; print(os.environ['PACE'], sys.stdout.isatty()); sys.exit(3)"
    assert record.run([sys.executable, "-c", script], events) == 3
    assert [event.text for event in events] == ["1 True\r\n"]


def test_styles_and_markup_are_drawn_as_text() -> None:
    svg = render([Event(0, STEP)], 80, 2)
    assert text_of(svg) == [" 1. A step <&>"]
    assert '<tspan class="b"> 1. A step</tspan>' in svg


def test_lines_appear_from_the_top_and_scroll_when_the_terminal_is_full() -> None:
    svg = render([Event(number, "line\n") for number in range(1, 4)], 80, 2)
    assert f"{{transform:translateY({2 * LINE}px)}}100%" in svg  # the cover has moved to the bottom
    assert (
        f"@keyframes l{{0%{{transform:translateY(0px)}}33.33%{{transform:translateY(-{LINE}px)}}"
        in svg
    )


def test_a_line_is_cut_at_the_edge_of_the_terminal() -> None:
    assert text_of(render([Event(0, "abcdef\n")], 3, 1)) == ["abc"]


def test_output_that_moves_the_cursor_raises_an_error() -> None:
    with pytest.raises(DrawingError, match="does more than to write"):
        render([Event(0, "\x1b[2Kgone\n")], 80, 2)
