"""The narrator of the demo: short by default; with a pace, it adds reasons, YAML and pauses."""

from __future__ import annotations

import asyncio

import pytest

from narrator import SECONDS_A_LINE, Narrator, PaceError, cut, pace

pytestmark = pytest.mark.looptime

ANSWER = '{"products": [{"sku": "teapot"}]}'


async def tell(narrator: Narrator) -> float:
    """Narrate a scene, and return the seconds that it took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with narrator.scene("It calls", "One line.", "Why."):
        narrator.show({"kind": "MCPTool"})
        narrator.answer("search", ANSWER)
    return loop.time() - started


async def test_without_a_pace_the_narrator_is_short_and_does_not_pause(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await tell(Narrator()) == 0
    said = capsys.readouterr().out
    assert f"    > search\n      {ANSWER}\n" in said
    assert "Why." not in said
    assert "kind: MCPTool" not in said


async def test_with_a_pace_the_narrator_explains_and_pauses_for_each_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    once, twice = await tell(Narrator(1)), await tell(Narrator(2))
    assert twice == pytest.approx(2 * once)
    said = capsys.readouterr().out
    assert once > 5 * SECONDS_A_LINE
    assert "    Why.\n" in said
    assert "      | kind: MCPTool\n" in said
    assert '      <       "sku": "teapot"\n' in said


async def test_the_narrator_uses_colors_only_if_they_are_enabled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await tell(Narrator())
    assert "\x1b" not in capsys.readouterr().out
    await tell(Narrator(colors=True))
    assert "\x1b[1m 1. It calls\x1b[0m" in capsys.readouterr().out


def test_a_long_text_is_shortened_to_one_line() -> None:
    assert cut("a\n b") == "a b"
    assert cut("a" * 79) == "a" * 77 + "…"


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("1", 1), ("0.5", 0.5)])
def test_the_pace_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: float
) -> None:
    monkeypatch.setenv("PACE", text)
    assert pace() == expected


@pytest.mark.parametrize("text", ["slow", "-1", "inf", "nan"])
def test_an_error_about_an_invalid_pace_shows_the_value(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("PACE", text)
    with pytest.raises(PaceError, match=f"PACE is '{text}'"):
        pace()
