"""Reading YAML files into objects, remembering the line of every field.

YAML is read as Kubernetes reads it: the result is JSON, so there are no timestamps and every key is
text; and as `kubectl apply` does, a key given twice is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from mcp_operator.api.structure import Path as FieldPath
from mcp_operator.core.meta import Object
from mcp_operator.local.problems import FileProblem

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})

NOT_OBJECTS: Final = frozenset({"kustomization.yaml", "kustomization.yml"})
"""Files of other tools that lie among manifests and hold no objects."""

MERGE_TAG: Final = "tag:yaml.org,2002:merge"
"""The tag of the key `<<`, which takes over the entries of another mapping."""

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""More than any manifest; a bound on what a stray file makes us read."""

MAX_NODES: Final = 1_000_000
"""More than any manifest; a bound on what aliases of aliases can expand to."""


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
        except _ParseError as error:
            problems.append(FileProblem(file, error.line, "", str(error)))
    return Loaded(tuple(documents), tuple(problems), len(files))


class _ParseError(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise _ParseError(1, f"larger than {MAX_FILE_BYTES} bytes; this is no manifest")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _ParseError(1, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _ParseError(1, "is not UTF-8 text; save it as UTF-8") from error


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # chosen at run time
    """The safe loader without timestamps, which JSON does not have."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _parse(file: Path, text: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            builder = _Builder(loader)
            value = builder.value(node, ())
            yield from _objects(value, file, builder.lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _ParseError(line, f"is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:  # a character that YAML forbids; it carries no mark
        raise _ParseError(1, f"is not YAML: {str(error).splitlines()[0]}") from error
    finally:
        loader.dispose()


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


class _Builder:
    """Turns the nodes of one document into JSON values, noting lines on the way."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._nodes = 0
        self._open: set[int] = set()
        self._flat: set[int] = set()
        self.lines: dict[FieldPath, int] = {}

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        """Return the value of a node.

        Raises:
            _ParseError: It has no form in JSON, or is too large.
        """
        self._nodes += 1
        line = _line(node)
        self.lines.setdefault(path, line)
        if self._nodes > MAX_NODES:
            raise _ParseError(line, f"expands to more than {MAX_NODES} values; use fewer aliases")
        if id(node) in self._open:
            raise _ParseError(line, "contains itself through an alias; write it out")
        self._open.add(id(node))
        try:
            return self._build(node, path)
        finally:
            self._open.remove(id(node))

    def _build(self, node: yaml.Node, path: FieldPath) -> Any:
        match node:
            case yaml.MappingNode():
                self._flatten(node)
                return {
                    name: self._entry(name, key, value, path)
                    for key, value in node.value
                    for name in (self._key(key),)
                }
            case yaml.SequenceNode():
                return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
            case _:
                return self._scalar(node)

    def _entry(self, name: str, key: yaml.Node, value: yaml.Node, path: FieldPath) -> Any:
        self.lines[(*path, name)] = _line(key)
        return self.value(value, (*path, name))

    def _key(self, node: yaml.Node) -> str:
        key = self._scalar(node) if isinstance(node, yaml.ScalarNode) else node
        if isinstance(key, bool):
            return str(key).lower()
        if isinstance(key, (str, int)):
            return str(key)
        raise _ParseError(_line(node), "a key must be text; write it in quotes")

    def _scalar(self, node: yaml.Node) -> str | int | float | bool | None:
        value = self._loader.construct_object(node)
        if isinstance(value, (str, int, float)) or value is None:
            return value
        raise _ParseError(_line(node), f"the tag {node.tag} has no form in JSON; write plain text")

    def _flatten(self, node: yaml.MappingNode) -> None:
        """Refuse keys given twice and resolve merge keys, once for each node."""
        if id(node) in self._flat:
            return
        self._flat.add(id(node))
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == MERGE_TAG:
                continue
            name = self._key(key)
            if name in seen:
                raise _ParseError(_line(key), f"the key {name!r} is given twice; keep one of them")
            seen.add(name)
        self._loader.flatten_mapping(node)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
