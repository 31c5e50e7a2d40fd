"""How many values a JSON text holds, told before it is parsed.

Parsing holds the event loop, and Python's lock, so that no thread helps: a text of four megabytes
is parsed in a millisecond where it is one string, and in more than a second where it is a million
empty lists. What follows with each value, to judge, map and write it, takes longer still.
"""

from __future__ import annotations

import re
from typing import Final

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SIGNS: Final = (b",", b"[", b"{")


def holds_more(body: bytes, limit: int) -> bool:
    """Tell whether a JSON text holds more values than that; of what is no JSON, anything."""
    if _signs(body) <= limit:
        return False
    if (body.count(b'"') - body.count(b'\\"')) // 2 > 2 * limit:
        return True  # no value has more strings than itself and its name
    quoted = sum(_signs(string[0]) for string in _STRING.finditer(body))
    return _signs(body) - quoted > limit


def _signs(text: bytes) -> int:
    """Count what stands before each value but the first and those of names."""
    return sum(map(text.count, _SIGNS))
