"""What a server says, as lines for a terminal or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from mcp_operator.app.inspection.tables import printable


def lines(text: str, indent: str = "") -> Iterator[str]:
    """Yield the lines of a text of a server without control characters, which a terminal obeys."""
    for line in text.splitlines():
        yield f"{indent}{printable(line.expandtabs(4))}".rstrip()


def as_json(value: Any, indent: int | None = 2) -> str:
    """Return JSON without unprintable characters: they are escaped.

    Args:
        value: Any JSON value.
        indent: Spaces of a level; None for all on one line.
    """
    dumped = json.dumps(value, indent=indent, ensure_ascii=False)
    return "".join(
        letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1]
        for letter in dumped
    )


def show(told: Iterable[str]) -> None:
    """Write lines to the standard output, at once."""
    sys.stdout.writelines(f"{line}\n" for line in told)
    sys.stdout.flush()


def note(line: str) -> None:
    """Write what is not the answer itself to the standard error, at once."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()
