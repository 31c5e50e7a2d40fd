"""Extracts the texts of the code for Vale: comments, docstrings and messages.

`nox -s prose` runs it. Each source file becomes a text file with the same path. Each text is on the
line on which it begins in the source, so that Vale reports the lines of the source.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent

SOURCES: Final = ("operator/**/*.py", "tools/*.py", "noxfile.py", "charts/**/templates/NOTES.txt")
"""The files with texts for people: in a terminal, a log, a condition, or the source."""

_WORDS: Final = 3
"""A string with fewer words is a name or a key, unless it has several lines."""

_CODE: Final = re.compile(
    r"`+[^`]+`+|\{\{.*?\}\}|https?://\S+|\b\w+(?:[._/]\w+)+|\w+_\w+|--?[a-z-]+"
)
"""Code in a text: code spans, template actions, URLs, dotted names, flags."""


def main(target: Path) -> None:
    """Write the texts of all sources below a folder."""
    for source in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        name = target / f"{source.relative_to(ROOT)}.txt"
        name.parent.mkdir(parents=True, exist_ok=True)
        text = extracted(source.read_text(encoding="utf-8"), is_python=source.suffix == ".py")
        name.write_text(text, encoding="utf-8", errors="replace")  # a constant may be a surrogate


def extracted(source: str, *, is_python: bool) -> str:
    """Return the texts of a file, each on its own line."""
    lines = [""] * (source.count("\n") + 1)  # escaped line breaks can make more lines of text
    for line, words in python(source) if is_python else enumerate(source.split("\n"), start=1):
        lines[min(line, len(lines)) - 1] += f"{words} "
    return "\n".join(_CODE.sub("x", line).strip() for line in lines)


def python(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of each comment, docstring and message of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#: ")
    inner: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            inner.update(id(each) for each in ast.walk(node) if each is not node)
        if not isinstance(node, ast.expr) or id(node) in inner or not (words := _text(node)):
            continue
        if "\n" in words:
            yield from enumerate(words.split("\n"), start=node.lineno)
        elif len(words.split()) >= _WORDS:
            yield node.lineno, words


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "x" for part in node.values)
    return ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
