"""Reading YAML files into objects, remembering the line of every field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mcp_operator.api.structure import Path as FieldPath
from mcp_operator.core.meta import Object
from mcp_operator.local.problems import FileProblem
from mcp_operator.local.yaml_values import YamlError, yaml_values

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})

NOT_OBJECTS: Final = frozenset({"kustomization.yaml", "kustomization.yml"})
"""Files of other tools that lie among manifests and hold no objects."""

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""More than any manifest; a bound on what a stray file makes us read."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file.

    Attributes:
        obj: The object.
        file: The file, as reached from the path that the user gave.
        lines: The line of each field, counted from 1.
    """

    obj: Object
    file: Path
    lines: Mapping[FieldPath, int] = field(repr=False)

    def line_of(self, path: FieldPath) -> int:
        """Return the line of a field, or of the nearest one around it that is written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def problem(self, path: FieldPath, shown: str, message: str) -> FileProblem:
        """Return a problem of this object at a field."""
        return FileProblem(self.file, self.line_of(path), shown, message)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The objects of all files, and what kept others from being read."""

    documents: tuple[Document, ...]
    problems: tuple[FileProblem, ...]
    files: int


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files to read: those named, and in folders all of YAML and JSON.

    Hidden files and folders are passed over, unless they are named.
    """
    for path in paths:
        if path.is_dir():
            children = (child for child in path.iterdir() if not child.name.startswith("."))
            for child in sorted(children):
                if child.is_dir() or child.suffix in SUFFIXES:
                    yield from files_of([child])
        elif path.name not in NOT_OBJECTS:
            yield path


def load(paths: Iterable[Path]) -> Loaded:
    """Read every file; one that cannot be read is a problem, and the others are read."""
    documents: list[Document] = []
    problems: list[FileProblem] = []
    files = list(dict.fromkeys(files_of(paths)))
    for file in files:
        try:
            documents += _parse(file, _read(file))
        except YamlError as error:
            problems.append(FileProblem(file, error.line, "", str(error)))
    return Loaded(tuple(documents), tuple(problems), len(files))


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise YamlError(1, f"larger than {MAX_FILE_BYTES} bytes; this is no manifest")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise YamlError(1, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise YamlError(1, "is not UTF-8 text; save it as UTF-8") from error


def _parse(file: Path, text: str) -> Iterator[Document]:
    for value, lines in yaml_values(text):
        yield from _objects(value, file, lines)


def _objects(value: Any, file: Path, lines: Mapping[FieldPath, int]) -> Iterator[Document]:
    """Yield an object, or the items of a `List`; what looks like no object is passed over."""
    if not isinstance(value, dict) or not value.keys() & {"apiVersion", "kind"}:
        return
    if not str(value.get("kind")).endswith("List") or not isinstance(value.get("items"), list):
        yield Document(value, file, lines)
        return
    for index, item in enumerate(value["items"]):
        start: FieldPath = ("items", index)
        own = {path[2:]: line for path, line in lines.items() if path[:2] == start}
        yield from _objects(item, file, own)
