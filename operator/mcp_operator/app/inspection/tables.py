"""Tables as kubectl prints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

GAP: Final = "   "


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, each column as wide as its widest cell.

    Control characters in cells are replaced, because objects of a cluster can contain anything, and
    terminals interpret them.

    Args:
        header: The names of the columns.
        rows: The rows, each with one cell per column.
    """
    clean = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    for row in clean:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield GAP.join(padded).rstrip()


def printable(text: str) -> str:
    """Return a text without line breaks and control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
