"""Reading YAML into JSON values, with the line of each.

The result is JSON, so there are no timestamps and every key is text; and as `kubectl apply` does, a
key given twice is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from mcp_operator.api.structure import Path as FieldPath

MERGE_TAG: Final = "tag:yaml.org,2002:merge"
"""The tag of the key `<<`, which takes over the entries of another mapping."""

MAX_NODES: Final = 1_000_000
"""More than any document; a bound on what aliases of aliases can expand to."""


class YamlError(Exception):
    """A text cannot be read.

    Attributes:
        line: Where, counted from 1.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class KubernetesLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # chosen at run time
    """The safe loader without timestamps: YAML 1.1, as Kubernetes reads it."""


KubernetesLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class JsonLoader(KubernetesLoader):
    """The safe loader with YAML 1.2's JSON schema (YAML 1.2.2, section 10.2), as OpenAPI asks for.

    A country code `NO` is a text, and so is `12:30`.
    """


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
    text: str, loader: type[Any] = KubernetesLoader
) -> Iterator[tuple[Any, Mapping[FieldPath, int]]]:
    """Yield each document of a text: its value, and the line of every part of it.

    Args:
        text: The text.
        loader: How plain words are read: `KubernetesLoader` or `JsonLoader`.

    Raises:
        YamlError: The text is not YAML, or a value has no form in JSON, or is too large.
    """
    reader = loader(text)
    try:
        while reader.check_node():
            builder = _Builder(reader)
            value = builder.value(reader.get_node(), ())
            yield value, builder.lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(line, f"is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:  # a character that YAML forbids; it carries no mark
        raise YamlError(1, f"is not YAML: {str(error).splitlines()[0]}") from error
    finally:
        reader.dispose()


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
            YamlError: It has no form in JSON, or is too large.
        """
        self._nodes += 1
        line = _line(node)
        self.lines.setdefault(path, line)
        if self._nodes > MAX_NODES:
            raise YamlError(line, f"expands to more than {MAX_NODES} values; use fewer aliases")
        if id(node) in self._open:
            raise YamlError(line, "contains itself through an alias; write it out")
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
        raise YamlError(_line(node), "a key must be text; write it in quotes")

    def _scalar(self, node: yaml.Node) -> str | int | float | bool | None:
        value = self._loader.construct_object(node)
        if isinstance(value, (str, int, float)) or value is None:
            return value
        raise YamlError(_line(node), f"the tag {node.tag} has no form in JSON; write plain text")

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
                raise YamlError(_line(key), f"the key {name!r} is given twice; keep one of them")
            seen.add(name)
        self._loader.flatten_mapping(node)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
