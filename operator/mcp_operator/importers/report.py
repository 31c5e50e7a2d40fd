"""The report for the user: what an import created, and what it left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mcp_operator.importers.texts import in_one_line

_SHOWN: Final = 3
"""How many tools a note lists, and how many places; further ones are only counted."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something about some tools that a reviewer should know.

    Attributes:
        text: The note.
        place: The place in the document; empty for the operation itself.
        tools: The names of the tools.
    """

    text: str
    place: str
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an import.

    Attributes:
        operations: How many operations the document has.
        chosen: How many of them were selected.
        tools: How many tools were created.
        objects: How many objects hold them.
        skipped: The operations without a tool, and why.
        notes: What a reviewer should know.
    """

    operations: int
    chosen: int
    tools: int
    objects: int
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]

    def lines(self, *, whole: bool = False) -> Iterator[str]:
        """Yield the report, line by line.

        Args:
            whole: Whether to list every place and tool of each note.
        """
        for line in self._lines(None if whole else _SHOWN):
            yield in_one_line(line)  # names and values come from the document

    def _lines(self, shown: int | None) -> Iterator[str]:
        yield from (f"skipped: {label}: {reason}" for label, reason in self.skipped)
        places: dict[str, list[Note]] = {}
        for note in self.notes:
            places.setdefault(note.text, []).append(note)
        for text, notes in places.items():
            yield from (f"note: {text} ({_about(note, shown)})" for note in notes[:shown])
            more = len(notes[_SHOWN:]) if shown else 0
            if more:
                yield f"note: {text} ({count(more, 'more place')}: --report FILE lists them)"
        left = self.operations - self.chosen
        made = f"{count(self.tools, 'tool')} in {count(self.objects, 'object')}"
        yield ", ".join(
            filter(
                None,
                (
                    f"{count(self.operations, 'operation')}: {made}",
                    f"{len(self.skipped)} skipped",
                    f"{left} not selected" if left else "",
                ),
            )
        )


def count(number: int, what: str) -> str:
    """Return a number with its unit: `1 tool`, `2 tools`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _about(note: Note, shown: int | None) -> str:
    names = ", ".join(note.tools[:shown])
    more = len(note.tools) - len(note.tools[:shown])
    named = f"{names} and {more} more" if more else names
    return f"{named}: {note.place}" if note.place else named
