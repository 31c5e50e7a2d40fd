"""How many values a JSON text holds, told before it is parsed.

Parsing holds the event loop, and Python's lock, so that no thread helps: a text of four megabytes
is parsed in a millisecond where it is one string, and in more than a second where it is a million
empty lists. What follows with each value, to judge, map and write it, takes longer still.
"""

from __future__ import annotations

import re
from typing import Final

STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string, with its quotes. One that is not closed takes all that follows: were it no match, the
search would go on at each quote that is escaped in it, and read all the rest again."""

_SIGNS: Final = (b",", b"[", b"{")
_EMPTY: Final = (b"[]", b"{}")


def at_most(text: bytes) -> int:
    """Return a number of values that a JSON text does not exceed, whatever its strings are."""
    return 1 + sum(map(text.count, _SIGNS))


def holds_more(text: bytes, limit: int) -> bool:
    """Tell whether a JSON text holds more values than that; of what is not JSON, anything.

    A list or an object with nothing but space in it is counted twice.
    """
    if at_most(text) <= limit:
        return False
    if (text.count(b'"') - text.count(b'\\"')) // 2 > 2 * limit:
        return True  # no value has more strings than itself and its name
    quoted = sum(_members(string[0]) for string in STRING.finditer(text))
    return 1 + _members(text) - quoted > limit


def _members(text: bytes) -> int:
    """Count what stands before each value but the first; what is empty has none in it."""
    return sum(map(text.count, _SIGNS)) - sum(map(text.count, _EMPTY))
