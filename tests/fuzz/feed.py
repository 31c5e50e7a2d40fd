"""Converts bytes of a fuzzer to values for a target; the same bytes give the same values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")

MAX_DEPTH = 5
"""Levels of a JSON value."""

NUMBERS = (0, 1, -1, 5.0, 0.1, 1e308, -(2**63), 2**64, 10**30, 1e-7)

HOSTILE = (
    "",
    "..",
    "a/b",
    "%2e%2e",
    "a\r\nX-Canary: 1",
    "a&b=c",
    "a=b;c",
    'a"b',
    "\ud800",
    "\u2028",
    "\x00",
    "\uff0e\uff0e",
)
"""Texts that break out of their place if they are not escaped."""


class Feed:
    """Returns values; after the last byte, each is the first choice or empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.byte() % len(choices)]

    def some(self, choices: Sequence[T]) -> list[T]:
        """Return up to four of the choices, also repeated."""
        return [self.pick(choices) for _ in range(self.byte() % 5)]

    def chunk(self) -> bytes:
        """Return up to 255 bytes."""
        size = self.byte()
        start, self._at = self._at, self._at + size
        return self._data[start : self._at]

    def text(self) -> str:
        """Return a text with any bytes, as in the headers of clients."""
        return self.chunk().decode("utf-8", "surrogateescape")

    def rest(self) -> bytes:
        """Return all bytes that are left."""
        start, self._at = self._at, len(self._data)
        return self._data[start:]

    def value(self, depth: int = 0) -> Any:
        """Return a JSON value; its texts can contain lone surrogates, which a body cannot."""
        kind = self.byte() % 8
        if depth >= MAX_DEPTH or kind < 3:
            return self.text() if kind % 2 else self.pick(HOSTILE)
        match kind:
            case 3:
                return self.pick((None, True, False))
            case 4:
                return self.pick(NUMBERS)
            case 5:
                return self.byte()
            case 6:
                return [self.value(depth + 1) for _ in range(self.byte() % 4)]
            case _:
                return {self.text(): self.value(depth + 1) for _ in range(self.byte() % 4)}
