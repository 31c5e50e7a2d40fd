"""The docstrings under the attributes of a class."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise


def attribute_docstrings(cls: type, root: type) -> dict[str, str]:
    """Return the docstring of each attribute that has one.

    Args:
        cls: The class.
        root: The last base class whose attributes are included, too.

    Raises:
        OSError: The source code of a class is not available.
    """
    bases = [base for base in reversed(cls.__mro__) if issubclass(base, root)]
    return {name: text for base in bases for name, text in _own(base)}


def _own(cls: type) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    for field, after in pairwise(getattr(definition, "body", ())):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(after.value.value)
