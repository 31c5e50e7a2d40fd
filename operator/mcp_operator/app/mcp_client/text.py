"""Formats texts of a server for a terminal or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from mcp_operator.app.inspection.tables import printable


def lines(text: str, indent: str = "") -> Iterator[str]:
    """Yield the lines of a server's text without control characters, which terminals interpret."""
    for line in text.splitlines():
        yield f"{indent}{printable(line.expandtabs(4))}".rstrip()


def as_json(value: Any, indent: int | None = 2) -> str:
    """Return JSON in which unprintable characters are escaped.

    Args:
        value: Any JSON value.
        indent: Spaces per level; None for a single line.
    """
    dumped = json.dumps(value, indent=indent, ensure_ascii=False)
    return "".join(
        letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1]
        for letter in dumped
    )


def show(told: Iterable[str]) -> None:
    """Write lines to standard output, and flush."""
    sys.stdout.writelines(f"{line}\n" for line in told)
    sys.stdout.flush()


def note(line: str) -> None:
    """Write a line that is not part of the answer to standard error, and flush."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()
