"""The CEL evaluator, without the command line that its package also imports.

`import cel` loads a terminal application with prompt_toolkit, rich and pygments. That takes twice
as long as everything else that `mcp-operator serve` loads before it answers, so this module loads
only the compiled extension.
"""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cel import Program


@lru_cache(maxsize=1024)
def compile_expression(expression: str) -> Program:
    """Compile a CEL expression. The cache holds the rules of the CRDs and users' expressions.

    Raises:
        ValueError: The expression is not CEL.
    """
    with _loading:  # several threads evaluate, and the extension panics if it is loaded twice
        evaluator = _evaluator()
    program: Program = evaluator.compile(expression)
    return program


_loading = threading.Lock()


@cache
def _evaluator() -> Any:
    package = find_spec("cel")  # finds a package without importing it
    extension = package and PathFinder.find_spec("cel", package.submodule_search_locations)
    if not extension or not extension.loader:
        raise ImportError(
            "the extension module of the package common-expression-language is not installed"
        )
    module = module_from_spec(extension)
    extension.loader.exec_module(module)
    return module
