"""Reads YAML files into objects, with the line of every field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_operator.api.structure import Path as FieldPath
from mcp_operator.core.meta import Object
from mcp_operator.local.files import UnreadableError, files_of, read_text
from mcp_operator.local.hints import hint_of_line
from mcp_operator.local.problems import FileProblem
from mcp_operator.local.yaml_values import Located, YamlError, yaml_values


@dataclass(frozen=True, slots=True)
class Document:
    """One object in a file.

    Attributes:
        obj: The object.
        file: The file, relative to the path that the user gave.
        located: Where its fields are written.
    """

    obj: Object
    file: Path
    located: Located = field(repr=False)

    def line_of(self, path: FieldPath) -> int:
        """Return the line of a field, or of the nearest parent that is in the file."""
        return self.located.line_of(path)

    def problem(self, path: FieldPath, shown: str, message: str) -> FileProblem:
        """Return a problem of this object at the line of a field."""
        return FileProblem(self.file, self.line_of(path), shown, message)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The objects of all files, and the problems of files that could not be read."""

    documents: tuple[Document, ...]
    problems: tuple[FileProblem, ...]
    files: int


def load(paths: Iterable[Path]) -> Loaded:
    """Read every file. A file that cannot be read is reported as a problem."""
    documents: list[Document] = []
    problems: list[FileProblem] = []
    files = list(dict.fromkeys(files_of(paths)))
    for file in files:
        try:
            text = read_text(file)
        except UnreadableError as error:
            problems.append(FileProblem(file, 1, "", str(error)))
            continue
        try:
            for value, located in yaml_values(text):
                documents += _objects(value, file, located)
        except YamlError as error:
            message = f"{error}{hint_of_line(text, error.line)}"
            problems.append(FileProblem(file, error.line, "", message))
    return Loaded(tuple(documents), tuple(problems), len(files))


def _objects(value: Any, file: Path, located: Located) -> Iterator[Document]:
    """Yield an object, or the items of a `List`. Documents that are not objects are skipped."""
    if not isinstance(value, dict) or not value.keys() & {"apiVersion", "kind"}:
        return
    if not str(value.get("kind")).endswith("List") or not isinstance(value.get("items"), list):
        yield Document(value, file, located)
        return
    for index, item in enumerate(value["items"]):
        yield from _objects(item, file, located.below["items"].below[index])
