"""Problems in files, told where an editor can jump to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mcp_operator.core.errors import OperatorError


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """One problem; as text `FILE:LINE:FIELD: MESSAGE`.

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
        where = f"{self.file}:{self.line}:"
        return f"{where}{self.field}: {self.message}" if self.field else f"{where} {self.message}"


class FilesError(OperatorError):
    """Files cannot be served; the text has one line for each problem."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
