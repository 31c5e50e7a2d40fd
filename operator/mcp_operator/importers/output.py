"""Objects as YAML for review: readable texts, and comments that name their source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml

from mcp_operator.api.catalog import JsonObject
from mcp_operator.importers.openapi import Imported
from mcp_operator.importers.report import count
from mcp_operator.importers.texts import cleaned, first_sentence, in_one_line

MADE_BY: Final = (
    "Made by `mcp-operator import openapi`. A new import replaces what is changed here."
)

WIDTH: Final = 100
FLOW_WIDTH: Final = 60
"""Characters of a list that is written in a single line."""

_READ_OTHERWISE: Final = re.compile(r"[yYnN]|[-+]?[.0-9][0-9A-Fa-fxXoO_.:+-]*")
"""Texts that some YAML parsers read as a boolean or a number. kubectl reads `y` as true, and every
document about coordinates has a property `y`."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # chosen at run time
    """The safe dumper, with multi-line strings as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Never write anchors and aliases, because reviewers would have to follow them."""
        return True


def _text(dumper: Any, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif _READ_OTHERWISE.fullmatch(text):
        style = "'"
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


def _list(dumper: Any, items: list[Any]) -> yaml.SequenceNode:
    """Write a short list of plain values in a single line."""
    short = all(isinstance(item, (bool, float, int, str)) for item in items)
    fits = short and sum(len(str(item)) + 2 for item in items) <= FLOW_WIDTH
    flow = fits and not any(isinstance(item, str) and "\n" in item for item in items)
    node: yaml.SequenceNode = dumper.represent_sequence(
        "tag:yaml.org,2002:seq", items, flow_style=flow
    )
    return node


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def yaml_text(imported: Imported, source: str, digest: str, *, guessed: bool) -> str:
    """Return the objects as YAML.

    Args:
        imported: The outcome of an import.
        source: Where the document comes from, without secrets.
        digest: The SHA-256 of the document, in hexadecimal.
        guessed: Whether the name of the Service is a guess.
    """
    head = _comment(_head(imported, source, digest, guessed=guessed))
    return head + "".join(_document(obj) for obj in imported.objects)


def yaml_files(
    imported: Imported, source: str, digest: str, *, guessed: bool
) -> Iterator[tuple[str, str]]:
    """Yield a file for each object: its name, and the YAML.

    Args:
        imported: The outcome of an import.
        source: Where the document comes from, without secrets.
        digest: The SHA-256 of the document, in hexadecimal.
        guessed: Whether the name of the Service is a guess.
    """
    head = _comment(_head(imported, source, digest, guessed=guessed))
    for obj in imported.objects:
        yield f"{obj['kind'].lower()}-{obj['metadata']['name']}.yaml", head + _document(obj)


def _comment(lines: Iterable[str]) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _document(obj: JsonObject) -> str:
    text = yaml.dump(
        obj, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True, indent=2
    )
    return f"---\n{text}"


def _head(imported: Imported, source: str, digest: str, *, guessed: bool) -> Iterator[str]:
    title = in_one_line(imported.title) or "an HTTP API"
    yield f"{count(imported.report.tools, 'tool')} of {title}"
    yield MADE_BY
    yield ""
    yield f"source: {in_one_line(source)}"
    yield f"sha256: {digest}"
    if guessed:
        yield ""
        yield "The name and the port of the Service are guesses: check spec.service."
    if imported.secrets:
        yield ""
        yield "The tools authenticate with what these Secrets hold. Fill them first:"
    for name, scheme in imported.secrets:
        yield ""
        told = first_sentence(cleaned(scheme.description), 80) or scheme.type
        yield f"  {in_one_line(scheme.name)}: {told}"
        yield f"  {_command(name, scheme.secret_keys)}"


def _command(name: str, keys: tuple[str, ...]) -> str:
    if keys == ("tls.crt", "tls.key"):
        return f"kubectl create secret tls {name} --cert=FILE --key=FILE"
    options = " ".join(f"--from-file={key}=FILE" for key in keys)
    return f"kubectl create secret generic {name} {options}"
