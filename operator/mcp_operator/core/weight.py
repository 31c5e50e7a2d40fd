"""Checks how many values a JSON text has, before it is parsed.

Parsing blocks the event loop and holds the GIL, so a thread does not help. Parsing four megabytes
takes a millisecond if they are one string, and more than a second if they are a million empty
lists. Validating, mapping and writing each value then takes even longer.
"""

from __future__ import annotations

import re
from typing import Final

STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string, with its quotes. An unterminated string extends to the end of the text. If it did not
match, the search would continue at each escaped quote in it, and read the rest again each time."""

_SIGNS: Final = (b",", b"[", b"{")
_EMPTY: Final = (b"[]", b"{}")


def at_most(text: bytes) -> int:
    """Return an upper bound of the values in a JSON text, whatever its strings contain."""
    return 1 + sum(map(text.count, _SIGNS))


def holds_more(text: bytes, limit: int) -> bool:
    """Return whether a JSON text has more than `limit` values; arbitrary if it is not JSON.

    A list or object that contains only whitespace counts as two values.
    """
    if at_most(text) <= limit:
        return False
    if (text.count(b'"') - text.count(b'\\"')) // 2 > 2 * limit:
        return True  # a value has at most two strings: its name and itself
    quoted = sum(_members(string[0]) for string in STRING.finditer(text))
    return 1 + _members(text) - quoted > limit


def _members(text: bytes) -> int:
    """Count the values after the first by the sign before each; `[]` and `{}` contain none."""
    return sum(map(text.count, _SIGNS)) - sum(map(text.count, _EMPTY))
