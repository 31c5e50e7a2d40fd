"""The demo's narrator: short by default, and for an audience with reasons, YAML and pauses."""

from __future__ import annotations

import asyncio

import pytest

from narrator import SECONDS_A_LINE, Narrator, PaceError, cut, pace

pytestmark = pytest.mark.looptime

ANSWER = '{"products": [{"sku": "teapot"}]}'


async def tell(narrator: Narrator) -> float:
    """Tell a scene and return the seconds that it took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with narrator.scene("It calls", "One line.", "Why."):
        narrator.show({"kind": "MCPTool"})
        narrator.answer("search", ANSWER)
    return loop.time() - started


async def test_without_a_pace_it_is_short_and_never_pauses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await tell(Narrator()) == 0
    said = capsys.readouterr().out
    assert f"    > search\n      {ANSWER}\n" in said
    assert "Why." not in said
    assert "kind: MCPTool" not in said


async def test_with_a_pace_it_explains_shows_everything_and_pauses_by_the_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    once, twice = await tell(Narrator(1)), await tell(Narrator(2))
    assert twice == pytest.approx(2 * once)
    said = capsys.readouterr().out
    assert once > 5 * SECONDS_A_LINE
    assert "    Why.\n" in said
    assert "      | kind: MCPTool\n" in said
    assert '      <       "sku": "teapot"\n' in said


async def test_colors_are_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    await tell(Narrator())
    assert "\x1b" not in capsys.readouterr().out
    await tell(Narrator(colors=True))
    assert "\x1b[1m 1. It calls\x1b[0m" in capsys.readouterr().out


def test_a_long_text_is_cut_to_one_line() -> None:
    assert cut("a\n b") == "a b"
    assert cut("a" * 79) == "a" * 77 + "…"


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("1", 1), ("0.5", 0.5)])
def test_the_pace_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: float
) -> None:
    monkeypatch.setenv("PACE", text)
    assert pace() == expected


@pytest.mark.parametrize("text", ["slow", "-1", "inf", "nan"])
def test_a_pace_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PACE", text)
    with pytest.raises(PaceError, match=f"PACE is '{text}'"):
        pace()
