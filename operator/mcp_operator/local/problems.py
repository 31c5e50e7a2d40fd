"""Problems in files, with a place that editors can open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcp_operator.core.errors import OperatorError

MAX_SHOWN: Final = 1000
"""Characters of a field or a message. They contain names from the user, of any length."""


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """One problem; its text is `FILE:LINE:FIELD: MESSAGE`.

    Attributes:
        file: The file as the user named it.
        line: The line, counted from 1.
        field: The field in the object; empty for the file or object as a whole.
        message: A sentence: what is wrong, and what to do.
    """

    file: Path
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """Return one line of bounded length, without control characters."""
        where = f"{_plain(str(self.file))}:{self.line}:"
        message = _plain(self.message)
        return f"{where}{_plain(self.field)}: {message}" if self.field else f"{where} {message}"


def _plain(text: str) -> str:
    """Cut a long text, and escape what cannot be printed as Python does."""
    cut = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
    if cut.isprintable():
        return cut
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in cut
    )


class FilesError(OperatorError):
    """Files cannot be served; the text has one line per problem."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
