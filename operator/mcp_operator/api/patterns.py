r"""Estimates what a regular expression costs before it is compiled.

`\pL{200}` has nine characters and takes ten megabytes: the engine unrolls counted repeats, and a
Unicode class has hundreds of ranges. This module estimates the size from the text. If the estimate
is small enough, the engine compiles the expression under a limit of that size, and has the last
word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import jsonschema_rs

from mcp_operator.core.errors import OperatorError

MAX_LENGTH: Final = 8192
"""Characters of one expression; the full expression for addresses of RFC 5322 takes 6500."""

MAX_COST: Final = 6 * 1024 * 1024
"""What one expression may cost, in bytes of memory; `^.{1,4096}$` costs 4.4 MiB."""

BASE_COST: Final = 8 * 1024
"""What the engine takes for any expression, in bytes."""

BACKTRACK_LIMIT: Final = 10_000
"""Steps that one expression with look-around can take; one without runs in linear time."""

_DFA_BYTES: Final = 256 * 1024
"""Bytes of states that the engine can cache. With less, it is slower, but still correct."""

_LITERAL, _WIDE_LITERAL, _ANY = 128, 384, 1040
_CLASS, _MEMBER, _FOLDED_MEMBER, _WIDE_MEMBER = 128, 16, 112, 192
_GROUP, _BRANCH, _COPY = 64, 96, 64
_UNICODE, _MORE_UNICODE = 56 * 1024, 16 * 1024
_ESCAPES: Final = {
    **dict.fromkeys((r"\p", r"\P"), _UNICODE),
    **dict.fromkeys((r"\d", r"\w", r"\h"), 448),
    **dict.fromkeys((r"\s", r"\D", r"\H"), 1152),
    **dict.fromkeys((r"\S", r"\W", r"\R"), 2304),
}
_UNICODE_ESCAPES: Final = _ESCAPES | {
    **dict.fromkeys((r"\w", r"\W"), _UNICODE),
    **dict.fromkeys((r"\d", r"\D"), 14 * 1024),
}
"""Bytes of each part in a compiled expression, rounded up. They were measured as the smallest
`size_limit` with which the engine compiles a hundred copies. The tests measure again."""

_ESCAPE: Final = (
    r"\\(?:[pP](?:\{[^}]*\}|.)|[xu](?:\{[^}]*\}|[0-9A-Fa-f]{0,4})|k<[^>]*>|c.|.|$)"  # e.g. \p{L}
)
_PIECE: Final = re.compile(rf"{_ESCAPE}|\{{\s*\d*\s*(?:,\s*\d*\s*)?\}}|.", re.DOTALL)
_WIDE_ESCAPE: Final = re.compile(r"\\x(?![0-7][0-9A-Fa-f])|\\u(?!00[0-7])")
_NUMBER: Final = re.compile(r"\d+")
_GROUP_KIND: Final = re.compile(r"\?(?:<?[=!]|:|>|P?<[A-Za-z_]\w*>|[A-Za-z-]+[:)])")
_FANCY: Final = re.compile(r"\(\?(?:<?[=!]|[>(#P&~|R])|\\[1-9kKGhHRXgO]|[*+?}]\+")
r"""Look-around, references to groups, and everything else for which the engine backtracks. In
expressions that use it, the classes `\d` and `\w` are Unicode's."""

_FLAGS: Final = re.compile(r"\(\?([A-Za-z-]+)[:)]")
_MANY: Final = 10**6
"""More repeats than the limits ever allow."""


class PatternError(OperatorError):
    """An expression cannot be used. The message continues a sentence that names its place."""


class PatternCostError(PatternError):
    """An expression would cost too much."""


def engine_options(size: int = MAX_COST) -> jsonschema_rs.FancyRegexOptions:
    """Return the limits under which the engine compiles and matches.

    Args:
        size: Bytes that one compiled expression may take.
    """
    return jsonschema_rs.FancyRegexOptions(
        backtrack_limit=BACKTRACK_LIMIT, size_limit=size, dfa_size_limit=_DFA_BYTES
    )


def is_backtracking(pattern: str) -> bool:
    """Tell whether the engine possibly does not run an expression in linear time."""
    return _FANCY.search(pattern) is not None


@lru_cache(maxsize=1024)
def cost(pattern: str) -> int:
    """Return what an expression costs in memory once it is compiled, in bytes, rounded up.

    Raises:
        PatternCostError: It is longer than `MAX_LENGTH`, or costs more than `MAX_COST`.
        PatternError: It is not a regular expression.
    """
    if len(pattern) > MAX_LENGTH:
        raise PatternCostError(
            f"has {len(pattern)} characters, and at most {MAX_LENGTH} are allowed: shorten it"
        )
    size = estimate(pattern)
    if size > MAX_COST:
        raise PatternCostError(
            f"would take {mebibytes(size)} when compiled, and at most {mebibytes(MAX_COST)} are "
            "allowed: use lower repeat counts, or limit the length with maxLength"
        )
    while not _compiles(pattern, size):
        if size == MAX_COST:
            raise PatternError("is not a valid regular expression: correct its syntax")
        size = min(4 * size, MAX_COST)
    return size


def mebibytes(cost: int) -> str:
    """Format a cost for messages: `11 MiB`, `4.5 MiB`."""
    return f"{round(cost / 1024**2, 1):g} MiB"


def _compiles(pattern: str, size: int) -> bool:
    try:
        jsonschema_rs.Draft202012Validator(
            {"pattern": pattern}, pattern_options=engine_options(size), offline=True
        )
    except ValueError:  # too large, not an expression, or not text
        return False
    return True


def estimate(pattern: str) -> int:
    """Return an upper bound for the memory of an expression, in bytes."""
    estimate_ = _Estimate(pattern)
    size = estimate_.structured()
    return BASE_COST + (estimate_.unstructured() if size is None else size)


class _Estimate:
    """Adds up the parts of one expression, and multiplies repeated parts."""

    def __init__(self, pattern: str) -> None:
        flags = "".join(_FLAGS.findall(pattern))
        self._pattern = pattern
        self._has_comments = "x" in flags or "(?#" in pattern
        self._folds = "i" in flags  # upper and lower case are alike
        self._escapes = _UNICODE_ESCAPES if _FANCY.search(pattern) else _ESCAPES
        self._groups = [[0, 0]]
        """For each open group: the bytes of its complete parts, and of the last part, which can
        still be repeated."""

    def structured(self) -> int | None:
        """Return the bytes, or None if it is unclear how the engine reads the brackets."""
        if self._has_comments:
            return None
        at = 0
        while at < len(self._pattern):
            piece = _piece(self._pattern, at)
            at += len(piece)
            match piece:
                case "(":
                    at = self._open_group(at)
                case ")":
                    if len(self._groups) == 1:
                        return None
                    inner = self._groups.pop()
                    self._append(sum(inner))
                case "|":
                    self._append(_BRANCH)
                case "[":
                    end = _class_end(self._pattern, at)
                    if end is None:
                        return None
                    self._append(self._class(self._pattern[at:end]))
                    at = end + 1
                case _:
                    self._append_or_repeat(piece)
        return sum(self._groups[0]) if len(self._groups) == 1 else None

    def unstructured(self) -> int:
        """Return the bytes as if every repeat count applied to the whole expression."""
        total, repeated = 0, 1
        for piece in _PIECE.findall(self._pattern):
            total += _COPY + (_ANY if piece in "[-" else self._part(piece))
            repeated = min(repeated * (_copies(piece) or 1), _MANY)
        return total * repeated

    def _open_group(self, at: int) -> int:
        kind = _GROUP_KIND.match(self._pattern, at)
        if kind and kind[0].endswith(")"):  # `(?i)` sets a flag and opens nothing
            return kind.end()
        self._groups.append([_GROUP, 0])
        return kind.end() if kind else at

    def _append(self, part: int) -> None:
        group = self._groups[-1]
        group[0] += group[1]
        group[1] = part

    def _append_or_repeat(self, piece: str) -> None:
        copies = _copies(piece)
        if copies is None:
            self._append(self._part(piece))
        else:
            group = self._groups[-1]
            group[1] = (group[1] + _COPY) * copies

    def _part(self, piece: str) -> int:
        """Return the size of a literal, an escape or a dot."""
        if piece == ".":
            return _ANY
        if piece[:2] in self._escapes:
            return self._escapes[piece[:2]]
        return _WIDE_LITERAL if self._folds or _is_wide(piece) else _LITERAL

    def _class(self, text: str) -> int:
        """Return the size of a class, given the text between its brackets."""
        size = _ANY if text.startswith("^") else _CLASS
        if _is_wide(text):
            size += text.count("-") * _ANY
        members = [self._member(piece) for piece in _PIECE.findall(text)]
        shared = max(0, members.count(_UNICODE) - 1)  # Unicode classes share most of their ranges
        return size + sum(members) - shared * (_UNICODE - _MORE_UNICODE)

    def _member(self, piece: str) -> int:
        if piece[:2] in self._escapes:
            return self._escapes[piece[:2]]
        if _is_wide(piece):
            return _WIDE_MEMBER
        return (_FOLDED_MEMBER if self._folds else _MEMBER) * len(piece)


def _copies(piece: str) -> int | None:
    """Return how often a quantifier repeats the part before it; None for other pieces."""
    if piece in ("*", "+", "?"):
        return 1
    if piece[0] != "{" or len(piece) == 1:
        return None
    numbers = _NUMBER.findall(piece)
    counts = [int(number) if len(number) < len(str(_MANY)) else _MANY for number in numbers]
    more = 1 if "," in piece and len(numbers) == 1 else 0  # `{9,}` is nine copies and then `*`
    return max([1, *counts]) + more


def _class_end(pattern: str, at: int) -> int | None:
    """Return the end of the class that begins at `at`; None where engines disagree about it."""
    if pattern.startswith(("]", "^]"), at):
        return None
    while at < len(pattern):
        if pattern[at] == "]":
            return at
        if pattern[at] == "[":
            return None
        at += len(_piece(pattern, at)) if pattern[at] == "\\" else 1
    return None


def _is_wide(text: str) -> bool:
    """Tell whether a text has characters beyond ASCII, or escapes that can mean such characters."""
    return not text.isascii() or _WIDE_ESCAPE.search(text) is not None


def _piece(pattern: str, at: int) -> str:
    found = _PIECE.match(pattern, at)
    if found is None:
        raise AssertionError("every character is a piece")
    return found[0]
