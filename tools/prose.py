"""Extracts the texts of the code for Vale: comments, docstrings, messages and names of tests.

`nox -s prose` runs it. Each source file becomes a text file with the same path. Each text is on the
line on which it begins in the source, so that Vale reports the lines of the source. The names of
tests are in a file of their own, because a name has no capitals, and so needs other rules.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent

SOURCES: Final = (
    "operator/**/*.py",
    "demo/**/*.py",
    "examples/**/*.py",
    "tools/*.py",
    "noxfile.py",
    "charts/**/templates/NOTES.txt",
)
"""The files with texts for people: in a terminal, a log, a condition, or the source."""

TESTS: Final = ("tests/**/*.py", "e2e/**/*.py")
"""The files whose strings are mostly data: only comments, docstrings and failure messages count."""

_WORDS: Final = 3
"""A string with fewer words is a name or a key, unless it has several lines."""

_CODE: Final = re.compile(
    r"`+[^`]+`+|\{\{.*?\}\}|https?://\S+|\b\w+(?:[._/]\w+)+|\w+_\w+|--?[a-z-]+"
)
"""Code in a text: code spans, template actions, URLs, dotted names, flags."""


def main(target: Path) -> None:
    """Write the texts of all sources and tests below a folder."""
    for source in _files(SOURCES):
        text = source.read_text(encoding="utf-8")
        found = python(text) if source.suffix == ".py" else enumerate(text.split("\n"), start=1)
        _write(target / f"{source.relative_to(ROOT)}.txt", on_their_lines(text, found))
    for test in _files(TESTS):
        text, path = test.read_text(encoding="utf-8"), test.relative_to(ROOT)
        _write(target / f"{path}.txt", on_their_lines(text, explanations(text)))
        _write(target / f"{path}.names.txt", on_their_lines(text, names(text)))


def on_their_lines(source: str, texts: Iterable[tuple[int, str]]) -> str:
    """Return the texts of a file, each on its own line, with code replaced by `x`."""
    lines = [""] * (source.count("\n") + 1)  # escaped line breaks can make more lines of text
    for line, words in texts:
        lines[min(line, len(lines)) - 1] += f"{words} "
    return "\n".join(_CODE.sub("x", line).strip() for line in lines)


def python(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of each comment, docstring and message of a module."""
    yield from _comments(source)
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


def explanations(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of each comment, docstring and failure message of a test."""
    yield from _comments(source)
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Module(body=[ast.Expr(value=text), *_])
                | ast.ClassDef(body=[ast.Expr(value=text), *_])
                | ast.FunctionDef(body=[ast.Expr(value=text), *_])
                | ast.AsyncFunctionDef(body=[ast.Expr(value=text), *_])
                | ast.Assert(msg=ast.expr() as text)
                | ast.Raise(exc=ast.Call(args=[text, *_]))
                | ast.Call(func=ast.Attribute(attr="fail" | "skip"), args=[text, *_])
                | ast.keyword(arg="reason", value=text)
            ):
                yield from enumerate(_text(text).split("\n"), start=text.lineno)
            case _:
                pass


def names(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each test function, as a sentence."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            prefix, _, words = node.name.partition("_")
            if prefix == "test" and words:
                yield node.lineno, f"{words.replace('_', ' ').capitalize()}."


def _files(patterns: Iterable[str]) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", errors="replace")  # a constant can be a surrogate


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#: ")


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "x" for part in node.values)
    return ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
