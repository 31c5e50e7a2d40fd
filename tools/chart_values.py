"""The values of the Helm chart, read from the comments and defaults of its values.yaml.

A comment `# -- TEXT` above a key describes it; `# @schema {...}` gives its type where the default
does not tell it; `# @section TITLE` begins a group. From these come values.schema.json and the
table in the chart's README.
"""  # noqa: INP001 - part of a script, not of a package

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mcp_operator.settings import OperatorSettings

TYPES = Path(__file__).with_name("chart_types.yaml")

_SCALARS = {str: "string", bool: "boolean", int: "integer"}

_UNTYPED = ("$ref", "enum", "type", "setting")
"""With one of these in `@schema` the default does not decide the type."""

_OPEN = ("global",)
"""Maps that a parent chart shares with its other dependencies, whose keys are not ours to know."""

_WIDEST = 80
"""Characters of a default that a table's cell still shows."""


@dataclass(frozen=True, slots=True)
class Value:
    """One key of values.yaml that a user sets, or a group of them.

    Attributes:
        path: The keys that lead to it.
        default: What values.yaml says.
        text: The description.
        schema: What `@schema` adds.
        section: The title of the group that it stands in.
        children: What is inside, for a map whose keys are all known.
    """

    path: tuple[str, ...]
    default: Any
    text: str
    schema: Mapping[str, Any]
    section: str
    children: tuple[Value, ...] = ()

    @property
    def key(self) -> str:
        """The path as `--set` takes it."""
        return ".".join(self.path)

    def leaves(self) -> Iterator[Value]:
        """Yield every value that has a description of its own."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


class ValuesError(Exception):
    """values.yaml does not describe a key; the text names it."""


def read(text: str) -> tuple[Value, ...]:
    """Return the values that a values.yaml declares, in its order.

    Raises:
        ValuesError: A key has no description, or no type can be told.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValuesError("values.yaml is not a map")
    return tuple(_Reader(text).values(root, ()))


class _Reader:
    """Finds the comment above each key."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._section = ""

    def values(self, node: yaml.MappingNode, parent: tuple[str, ...]) -> Iterator[Value]:
        for key, content in node.value:
            path = (*parent, key.value)
            comment = self._comment_above(key.start_mark.line)
            text, schema = _description(comment), _annotation(comment)
            children: tuple[Value, ...] = ()
            if isinstance(content, yaml.MappingNode) and content.value and not schema:
                children = tuple(self.values(content, path))
            elif not text:
                raise ValuesError(f"values.yaml: {'.'.join(path)} has no description above it")
            default = yaml.safe_load(yaml.serialize(content))
            yield Value(path, default, text, schema, self._section, children)

    def _comment_above(self, line: int) -> list[str]:
        """Return the comment lines right above a line, noting the section that begins there."""
        first = line
        while first and self._lines[first - 1].lstrip().startswith("#"):
            first -= 1
        for above in range(max(first - 2, 0), line):
            if "# @section " in self._lines[above]:
                self._section = self._lines[above].partition("# @section ")[2].strip()
        return [text.strip().removeprefix("#").strip() for text in self._lines[first:line]]


def _description(comment: list[str]) -> str:
    """Join the lines from `--` to the next annotation."""
    words: list[str] = []
    inside = False
    for line in comment:
        if line.startswith("-- "):
            if words:
                raise ValuesError(f"values.yaml: two descriptions above one key: {line}")
            inside = True
        elif line.startswith("@"):
            inside = False
        if inside:
            words.append(line.removeprefix("-- "))
    return " ".join(words)


def _annotation(comment: list[str]) -> dict[str, Any]:
    marked = [line.removeprefix("@schema ") for line in comment if line.startswith("@schema ")]
    return dict(yaml.safe_load(marked[0])) if marked else {}


def schema(values: tuple[Value, ...], alerts: list[str]) -> str:
    """Return values.schema.json.

    Args:
        values: What values.yaml declares.
        alerts: The names of all alerts, which a value may choose from.
    """
    definitions = yaml.safe_load(TYPES.read_text(encoding="utf-8")) | {"alert": {"enum": alerts}}
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Generated by `nox -s generate` from values.yaml; do not edit.",
        "title": "Values of the chart mcp-operator",
        **_object(values),
        "definitions": {name: _resolved(one) for name, one in sorted(definitions.items())},
    }
    return json.dumps(document, indent=2) + "\n"


def _object(values: tuple[Value, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {value.path[-1]: _schema_of(value) for value in values},
    }


def _schema_of(value: Value) -> dict[str, Any]:
    if value.children:
        return _object(value.children) | (
            {"additionalProperties": True} if value.path[-1] in _OPEN else {}
        )
    given = dict(value.schema)
    if not any(keyword in given for keyword in _UNTYPED):
        if type(value.default) not in _SCALARS:
            raise ValuesError(f"values.yaml: {value.key} needs a line `# @schema`")
        given = {"type": _SCALARS[type(value.default)], **given}
    if "setting" in given:
        given = _setting(given.pop("setting")) | given
    return {"description": value.text, **_resolved(given)}


def _setting(name: str) -> dict[str, Any]:
    """Return what the operator itself accepts for a setting."""
    found = OperatorSettings.model_json_schema()["properties"][name]
    return {key: found[key] for key in found if key not in ("title", "description", "default")}


def _resolved(node: Any) -> Any:
    """Write `$ref: NAME` as the JSON pointer that it stands for."""
    if isinstance(node, Mapping):
        return {
            key: f"#/definitions/{item}" if key == "$ref" else _resolved(item)
            for key, item in node.items()
        }
    return [_resolved(item) for item in node] if isinstance(node, list) else node


def table(values: tuple[Value, ...]) -> str:
    """Return all values as Markdown, one table for each section."""
    lines: list[str] = []
    section = ""
    for leaf in (leaf for value in values for leaf in value.leaves()):
        if leaf.section != section:
            section = leaf.section
            lines += ["", f"### {section}", "", "| Key | Default | What it does |", "|---|---|---|"]
        lines.append(f"| `{leaf.key}` | {_shown(leaf.default)} | {_cell(leaf.text)} |")
    return "\n".join(lines).strip() + "\n"


def _shown(default: Any) -> str:
    text = json.dumps(default)
    return f"`{_cell(text)}`" if len(text) <= _WIDEST else "see values.yaml"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
