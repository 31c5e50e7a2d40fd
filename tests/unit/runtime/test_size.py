"""The runtime is small enough to be read in one go."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import mcp_operator.runtime

MODULES = sorted(Path(mcp_operator.runtime.__path__[0]).glob("*.py"))
LINES = 2_200
"""Lines of code that all of it may have; docstrings, comments and blank lines are free."""

NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
}


def lines_of_code(text: str) -> int:
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


def test_the_runtime_has_no_more_lines_of_code_than_it_may() -> None:
    assert sum(lines_of_code(path.read_text(encoding="utf-8")) for path in MODULES) <= LINES
