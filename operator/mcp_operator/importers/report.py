"""What an import made and what it did not, for the person who asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_SHOWN: Final = 3
"""Tools that a note names; the others it counts."""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an import.

    Attributes:
        operations: How many operations the document has.
        chosen: How many of them were asked for.
        tools: How many tools were made.
        objects: How many objects hold them.
        skipped: The operations without a tool, and why.
        notes: What a reviewer should know, and the tools that it is about.
    """

    operations: int
    chosen: int
    tools: int
    objects: int
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, tuple[str, ...]], ...]

    def lines(self) -> Iterator[str]:
        """Yield the report, line by line."""
        yield from (f"skipped: {label}: {reason}" for label, reason in self.skipped)
        yield from (f"note: {text} ({_named(names)})" for text, names in self.notes)
        left = self.operations - self.chosen
        made = f"{count(self.tools, 'tool')} in {count(self.objects, 'object')}"
        yield ", ".join(
            filter(
                None,
                (
                    f"{count(self.operations, 'operation')}: {made}",
                    f"{len(self.skipped)} skipped",
                    f"{left} not asked for" if left else "",
                ),
            )
        )


def count(number: int, what: str) -> str:
    """Return a number of things: `1 tool`, `2 tools`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
