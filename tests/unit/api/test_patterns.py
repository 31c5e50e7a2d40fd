from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.api import patterns
from mcp_operator.api.patterns import (
    BASE_COST,
    MAX_COST,
    MAX_LENGTH,
    PatternCostError,
    PatternError,
    cost,
    estimate,
    mebibytes,
)

PARTS = (
    *"aké€😀.",
    *(r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\b", r"\x41", r"\u00e9", r"\cA", r"\/"),
    *(r"\pL", r"\P{L}", r"\p{Lu}", r"\p{Alphabetic}", r"\p{ID_Continue}", r"\p{Cn}", r"\p{Greek}"),
    *("[a-z]", "[a-zA-Z0-9_.-]", "[acegikmoqsuwy]", "[^a]", r"[^/\\]", "[à-ü]", "[àèìòù]"),
    *(r"[\pL\pN]", r"[^\pL\pN]", r"[\p{Lu}\p{Lo}\p{Mn}]", r"[\P{Alphabetic}\p{Lu}]"),
    *(r"[\w\s]", r"[\W\S]", r"[\x{80}-\x{10ffff}]", "[[:alpha:]]"),
    *("(a)", "(?:a|b)", "(?:ab|cd|ef)", "(?:a?)", "(?:a*)", "(?:.|b){3}", "(?:[a-z]{1,3}x){2}"),
    "[" + "".join(chr(0x100 + 2 * n) for n in range(60)) + "]",
    "[" + "".join(chr(0x10000 + 777 * n) for n in range(60)) + "]",
)

ORDINARY = (
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
    r"^.{1,4096}$",
    r"^[^<>:\"|?*]{1,4096}$",
    r"^[\w.-]{1,4096}$",
    r"^\S{1,255}$",
    r"^\p{L}[\p{L}\p{N} ]{0,63}$",
    r"^AC[0-9a-fA-F]{32}$",
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    r"^(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#$%^&*]).{8,255}$",
    r"^(\d+)\.(\d+)\.(\d+)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.\w+)*))?$",
    r"^(https?|ftp)://[^\s/$.?#].[^\s]*$",
    r"^[^[\]]{1,64}$",
    r"(?i)^(monday|tuesday|wednesday)$",
)

HOSTILE = (
    r"^\pL{200}x1$",
    r"^[\p{L}\p{N}]{500}$",
    r"(?:(?:a{100}){100}){100}",
    r"a{2}{3}{4}{5}{6}{7}{8}{9}{10}",
    r"^.{60000}$",
    r"^a{99999999999999999999}$",
    r"(?i)[^\x00-\x{ffff}]{9000}",
    r"(?=\w{1000})",
    "".join(rf"(?=\pL{{9}}{n})" for n in range(300)),
    "|".join(rf"\pL{{9}}{n}|(?!x)y" for n in range(100)),
    r"\pL" * 2000,
    r"(?i)" + r"[\pL\pN]" * 500,
    r"(?x)( \pL #( " + "\n" + r" ){900} # )",
    r"(?#[)(?:\pL){900}(?#])",
    r"[]\pL]{900}",
    r"[a[\pL]]{900}",
    r"(?:\pL\)){900}",
    "a" * (MAX_LENGTH + 1),
    "(.+){9}" * 999,
)


def pieces() -> st.SearchStrategy[str]:
    """Return regular expressions with every part that the estimate knows, and some invalid ones."""
    counts = st.sampled_from(["*", "+", "?", "*?", "++", "{3}", "{0,40}", "{90}", "{7,}", "{2}{3}"])
    groups = st.sampled_from(
        ["(", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?x:", "(?#"]
    )

    def extended(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("{}{}".format, inner, counts),
            st.builds("{}{})".format, groups, inner),
            st.lists(inner, min_size=1, max_size=4).map("".join),
            st.lists(inner, min_size=1, max_size=4).map("|".join),
        )

    return st.recursive(st.sampled_from((*PARTS, r"\1", "]", "[", "[a[b]", "#")), extended)


@settings(max_examples=300)
@given(pieces())
def test_the_engine_does_not_need_more_than_the_estimate(pattern: str) -> None:
    estimated = min(estimate(pattern), 2 * MAX_COST)
    if not patterns._compiles(pattern, estimated):
        assert estimated > MAX_COST or not patterns._compiles(pattern, 8 * MAX_COST)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("form", ["^(?:{}){{50}}$", "^(?i)(?:{}){{0,50}}$", "^(?=x)(?:{}){{50,}}$"])
def test_every_part_of_a_pattern_costs_less_than_estimated(part: str, form: str) -> None:
    pattern = form.format(part)
    fits = patterns._compiles(pattern, estimate(pattern) - BASE_COST)
    assert fits or not patterns._compiles(pattern, 8 * MAX_COST)


@pytest.mark.parametrize("pattern", ORDINARY)
def test_ordinary_expressions_are_accepted(pattern: str) -> None:
    assert BASE_COST < cost(pattern) <= MAX_COST


@pytest.mark.parametrize("pattern", HOSTILE, ids=lambda pattern: pattern[:30])
def test_a_costly_expression_is_rejected_before_it_is_compiled(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "_compiles", None)
    with pytest.raises(PatternCostError, match=r"allowed: (use lower repeat counts|shorten it)"):
        cost(pattern)


def test_the_engine_rejects_an_expression_that_was_underestimated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pattern = "^[a-z]{1,3000}$"
    honest = cost(pattern)
    monkeypatch.setattr(patterns, "estimate", lambda _: BASE_COST)
    cost.cache_clear()
    assert honest / 4 < cost(pattern) < honest * 4
    with pytest.raises(PatternError, match="is not a valid regular expression"):
        cost(r"^\pL{300}$")
    cost.cache_clear()


@pytest.mark.parametrize("pattern", ["(", "a{", "[z-a]", "(?<=", "\\", "*", "\ud800"])
def test_an_invalid_regular_expression_is_rejected(pattern: str) -> None:
    with pytest.raises(PatternError, match="is not a valid regular expression"):
        cost(pattern)


def test_an_error_gives_the_size_in_mebibytes() -> None:
    with pytest.raises(PatternCostError) as caught:
        cost(r"^\pL{200}$")
    assert str(caught.value) == (
        "would take 11 MiB when compiled, and at most 6 MiB are allowed: use lower repeat "
        "counts, or limit the length with maxLength"
    )
    assert mebibytes(4_750_000) == "4.5 MiB"
