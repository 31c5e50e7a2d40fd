"""Durations as people write them in YAML: `30s`, `1m30s`, `250ms`."""

from __future__ import annotations

import re

DURATION_PATTERN = r"^([1-9][0-9]{0,5}(ms|s|m|h)){1,4}$"
"""A subset of Go's `time.ParseDuration`: positive integers only, so that zero is impossible."""

_PART = re.compile(r"([1-9][0-9]{0,5})(ms|s|m|h)")
_WHOLE = re.compile(DURATION_PATTERN)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Return a duration in seconds.

    Raises:
        ValueError: The text is not a duration; the sentence shows valid ones.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write one such as 30s, 1m30s or 250ms")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
