"""Strict parsing of HTTP responses in bytes."""

from __future__ import annotations

import re


def statuses(answers: bytes) -> tuple[int, ...]:
    """Return the statuses of consecutive responses; each has a length or is the last.

    Raises:
        AssertionError: There are bytes that are not part of a response.
    """
    found: list[int] = []
    while answers:
        head, end, rest = answers.partition(b"\r\n\r\n")
        line = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
        assert line, answers[:100]
        assert end, "the head of the last response has no end"
        found.append(int(line[1]))
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
        size = int(length[1]) if length and b" 405 " not in head[:13] else 0
        answers = rest[size:]
    return tuple(found)
