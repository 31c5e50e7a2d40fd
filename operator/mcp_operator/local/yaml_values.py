"""YAML documents as JSON values, with the line of every field.

YAML is read as Kubernetes reads it. The result is JSON, so there are no timestamps and every key is
a string. As in `kubectl apply`, duplicate keys are errors. This module limits what a small file can
expand to: nesting, aliases of aliases, merges of merges, and numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml
from yaml.composer import Composer

from mcp_operator.api.structure import Path

MERGE_TAG: Final = "tag:yaml.org,2002:merge"
"""The tag of the key `<<`, which merges the entries of another mapping."""

MAX_NODES: Final = 500_000
"""Values that one file can contain: ten thousand objects of fifty values."""

MAX_ALIASED: Final = 50_000
"""Values that aliases and merges can add to the written values of one file."""

MAX_DEPTH: Final = 100
"""The deepest nesting of values. The API server and the operator accept more, but no valid object
needs more: a schema can have 64 levels."""

MAX_DIGITS: Final = 400
"""Characters of a number. Longer numbers do not fit into JSON's, which are doubles."""

_SCALARS: Final = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "null", "str")
)
_COLLECTIONS: Final = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})

_MIN_INT64, _MAX_INT64 = -(2**63), 2**63 - 1

_SHOWN: Final = 40
"""Characters of a value in a message."""


class Located:
    """The line of a value, and of the values in it.

    Attributes:
        line: The line, counted from 1; for a value in a mapping, the line of its key.
        below: The values in it, by key or index.
    """

    __slots__ = ("below", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.below: dict[str | int, Located] = {}

    def __contains__(self, path: Path) -> bool:
        """Tell whether there is a value at a path."""
        return self.at(path) is not None

    def at(self, path: Path) -> Located | None:
        """Return the value at a path; None if there is none."""
        found: Located | None = self
        for part in path:
            found = found.below.get(part) if found else None
        return found

    def line_of(self, path: Path) -> int:
        """Return the line of a field, or of the nearest parent that is in the file."""
        found = self
        for part in path:
            if part not in found.below:
                break
            found = found.below[part]
        return found.line


class YamlError(Exception):
    """A text cannot be parsed.

    Attributes:
        line: The line of the error, counted from 1.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Bounded(Composer):
    """Composes nodes in Python, so that deep nesting is an error and not a stack overflow.

    libyaml's composer recurses in C: a hundred thousand brackets would crash the process.
    """

    depth = 0
    nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node and everything in it, or return the target of an alias."""
        event: Any = self.peek_event()  # type: ignore[attr-defined] # of the parser class
        self.nodes += 1
        line = event.start_mark.line + 1
        if self.nodes > MAX_NODES:
            raise YamlError(line, f"has more than {MAX_NODES} values; split the file")
        if self.depth >= MAX_DEPTH:
            raise YamlError(line, f"is nested deeper than {MAX_DEPTH} levels; reduce the nesting")
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)  # YAML allows anchors to be redefined
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KubernetesLoader(_Bounded, _SafeLoader):  # type: ignore[misc] # chosen at run time
    """The safe loader without timestamps: YAML 1.1, as Kubernetes reads it."""

    def __init__(self, text: str) -> None:
        Composer.__init__(self)
        _SafeLoader.__init__(self, text)

    def repeat(self, name: str, line: int) -> None:
        """Reject a duplicate key."""
        raise YamlError(line, f"the key {name!r} appears twice; keep one of them")


KubernetesLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class JsonLoader(KubernetesLoader):
    """The safe loader with YAML 1.2's JSON schema (YAML 1.2.2, section 10.2), as OpenAPI requires.

    The country code `NO` is a string, and so is `12:30`. The last of duplicate keys counts, as in
    most JSON parsers, because users often cannot correct a document that they import.
    """

    def __init__(self, text: str, repeated: list[tuple[str, int]] | None = None) -> None:
        """Set up.

        Args:
            text: The text.
            repeated: Each duplicate key is added, with its line.
        """
        super().__init__(text)
        self._repeated = [] if repeated is None else repeated

    def repeat(self, name: str, line: int) -> None:
        """Record a duplicate key."""
        self._repeated.append((name, line))


JsonLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("tag:yaml.org,2002:int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?",
        list("-0123456789"),
    ),
    (MERGE_TAG, r"<<", ["<"]),
):
    JsonLoader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


def yaml_values(
    text: str, loader: Callable[[str], Any] = KubernetesLoader
) -> Iterator[tuple[Any, Located]]:
    """Yield each document of a text: its value, and the lines of its parts.

    Args:
        text: The text.
        loader: Creates the loader, a `KubernetesLoader` or `JsonLoader`, for the text.

    Raises:
        YamlError: The text is not YAML, contains something that JSON cannot express, or is too
            large. Documents that were yielded before are valid.
    """
    try:
        yield from _values(text, loader)
    except yaml.reader.ReaderError as error:  # a character that YAML forbids
        line = text.encode()[: error.position].count(b"\n") + 1
        raise YamlError(line, f"is not valid YAML: {str(error).splitlines()[0]}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(line, f"is not valid YAML: {error.problem}") from error


def _values(text: str, loader: Callable[[str], Any]) -> Iterator[tuple[Any, Located]]:
    reader = loader(text)
    builder = _Builder(reader)
    try:
        while reader.check_node():
            yield builder.document(reader.get_node())
    finally:
        reader.dispose()


_Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


class _Builder:
    """Converts the nodes of one file to JSON values, and records their lines."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._line = 1
        """The last line that was reached; the target of an alias is on an earlier line."""
        self._nodes = 0
        self._open: set[int] = set()
        self._known: dict[int, _Pairs] = {}

    def document(self, root: yaml.Node) -> tuple[Any, Located]:
        """Return the value of a document, and the lines of its parts.

        Raises:
            YamlError: JSON cannot express it, or it is too large.
        """
        self._known.clear()  # it has the nodes of the previous document, which no longer exist
        located = Located(_line(root))
        return self._value(root, located), located

    def _value(self, node: yaml.Node, located: Located) -> Any:
        if isinstance(node, yaml.ScalarNode):
            self._count(node)
            return self._scalar(node)
        if node.tag not in _COLLECTIONS:
            raise _no_form(node)
        self._enter(node)
        is_list = isinstance(node, yaml.SequenceNode)
        value = self._list(node, located) if is_list else self._object(node, located)
        self._open.remove(id(node))
        return value

    def _object(self, node: yaml.Node, located: Located) -> dict[str, Any]:
        value = {}
        for name, (key, child) in self._pairs(node).items():
            below = located.below[name] = Located(_line(key))
            value[name] = self._value(child, below)
        return value

    def _list(self, node: yaml.Node, located: Located) -> list[Any]:
        value = []
        for index, child in enumerate(node.value):
            below = located.below[index] = Located(_line(child))
            value.append(self._value(child, below))
        return value

    def _pairs(self, node: yaml.Node) -> _Pairs:
        """Return the keys and values of a mapping, including merged ones."""
        if id(node) in self._known:
            return self._known[id(node)]
        own: _Pairs = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == MERGE_TAG:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            name = self._key(key)
            if name in own:
                self._loader.repeat(name, _line(key))
            own[name] = (key, value)
        pairs: _Pairs = {}
        for source in merged:
            pairs = self._merge(source) | pairs
        self._known[id(node)] = pairs | own
        return self._known[id(node)]

    def _merge(self, source: yaml.Node) -> _Pairs:
        """Return the entries to merge from another mapping."""
        if not isinstance(source, yaml.MappingNode):
            raise YamlError(_line(source), "<< merges only a mapping, or a list of mappings")
        if len(self._open) > MAX_DEPTH:
            raise YamlError(
                _line(source), f"<< is nested deeper than {MAX_DEPTH} levels; reduce the nesting"
            )
        self._enter(source)
        pairs = self._pairs(source)
        self._open.remove(id(source))
        self._count(source, len(pairs))
        return pairs

    def _enter(self, node: yaml.Node) -> None:
        if id(node) in self._open:
            raise YamlError(
                _line(node),
                "contains itself through an alias; remove the alias",
            )
        self._open.add(id(node))
        self._count(node)

    def _count(self, node: yaml.Node, values: int = 1) -> None:
        self._line = max(self._line, _line(node))
        self._nodes += values
        if self._nodes - self._loader.nodes > MAX_ALIASED:
            raise YamlError(
                self._line,
                f"aliases and << add more than {MAX_ALIASED} values; use fewer of them",
            )

    def _key(self, node: yaml.Node) -> str:
        key = self._scalar(node) if isinstance(node, yaml.ScalarNode) else node
        if isinstance(key, bool):
            return str(key).lower()
        if isinstance(key, (str, int)):
            return str(key)
        raise YamlError(_line(node), "a key must be a string; put it in quotes")

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        if node.tag not in _SCALARS:
            raise _no_form(node)
        kind = node.tag.rpartition(":")[2]
        is_number = kind in ("int", "float")
        if is_number and ":" in node.value:
            return str(node.value)  # only YAML 1.1 reads this as a number in base 60
        if is_number and len(node.value) > MAX_DIGITS:
            raise _no_number(node)
        value: str | int | float | bool | None
        try:
            value = self._loader.yaml_constructors[node.tag](self._loader, node)
        except (ValueError, LookupError) as error:  # such as `!!int x` and `!!bool x`
            raise YamlError(
                _line(node),
                f"{_cut(node.value)!r} is not a valid {kind}; remove the tag, or correct the value",
            ) from error
        return _number(node, value) if is_number else value


def _number(node: yaml.ScalarNode, value: Any) -> int | float:
    """Return a number as the API server stores it: a 64-bit integer, or a double."""
    if isinstance(value, int) and _MIN_INT64 <= value <= _MAX_INT64:
        return value
    try:
        number = float(value)
    except OverflowError as error:
        raise _no_number(node) from error
    if not math.isfinite(number):
        raise _no_number(node)
    return number


def _no_number(node: yaml.ScalarNode) -> YamlError:
    return YamlError(
        _line(node),
        f"{_cut(node.value)!r} is not a number in JSON; if it is text, put it in quotes",
    )


def _no_form(node: yaml.Node) -> YamlError:
    return YamlError(_line(node), f"JSON has no type for the tag {_shown(node.tag)}; remove it")


def _shown(tag: str) -> str:
    return _cut(tag.replace("tag:yaml.org,2002:", "!!"))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
