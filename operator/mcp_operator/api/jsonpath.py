"""JSONPath, all of RFC 9535, by python-jsonpath and within a budget.

The library evaluates lazily and without limits. `_count` therefore puts a selector in front of
those of every segment, including the queries in filters. It selects nothing, and counts the nodes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.filter import BaseExpression, FilterQuery
from jsonpath.function_extensions import ExpressionType, FilterFunction
from jsonpath.match import JSONPathMatch
from jsonpath.selectors import Filter, JSONPathSelector

from mcp_operator.api.budget import Budget, SelectionError

MAX_LENGTH: Final = 1024
"""Characters of a query."""

_MAX_REGEX: Final = 65_536
"""Bytes that a compiled regular expression of a filter can take."""

_budget: ContextVar[Budget] = ContextVar("budget")


class JsonPath:
    """A compiled query, such as `$.items[*].name`."""

    def __init__(self, query: str) -> None:
        """Compile.

        Raises:
            SelectionError: It is not a query of RFC 9535, or is too long.
        """
        self.query = query
        if len(query) > MAX_LENGTH:
            raise SelectionError(f"the JSON path is longer than {MAX_LENGTH} characters")
        try:
            compiled = _ENVIRONMENT.compile(query)
        except (JSONPathError, RecursionError, ValueError) as error:
            told = _told(error)
            raise SelectionError(f"the JSON path {query!r} is not valid: {told}") from error
        if not isinstance(compiled, JSONPath):
            raise SelectionError(f"the JSON path {query!r} is not valid: it is more than one path")
        self._path = compiled
        self._is_singular = compiled.singular_query()
        _count(compiled)

    def select(self, document: Any) -> Any:
        """Return the value that a singular query selects, or the list that any other query finds.

        Raises:
            SelectionError: A singular query selects nothing, or the query costs too much.
        """
        token = _budget.set(Budget())
        try:
            # The library would parse a string or file; only containers have children to select.
            found = self._path.findall(document) if isinstance(document, dict | list) else []
        except (JSONPathError, RecursionError) as error:
            raise SelectionError(f"the JSON path {self.query} fails: {_told(error)}") from error
        except SelectionError as error:
            raise SelectionError(f"the JSON path {self.query} fails: {error}") from error
        finally:
            _budget.reset(token)
        if self.query == "$":
            return document
        if not self._is_singular:
            return found
        if not found:
            raise SelectionError(f"the answer has nothing at {self.query}")
        return found[0]


class _Counter(JSONPathSelector):
    """Selects nothing; counts the node and the children that the other selectors visit."""

    def resolve(self, node: JSONPathMatch) -> Iterable[JSONPathMatch]:
        below = len(node.obj) if isinstance(node.obj, dict | list) else 0
        _budget.get().spend(1 + below)
        return ()

    def resolve_async(self, node: JSONPathMatch) -> AsyncIterable[JSONPathMatch]:
        raise NotImplementedError


class _Environment(JSONPathEnvironment):
    max_recursion_depth = 250

    def __init__(self) -> None:
        super().__init__(strict=True)

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Regex(r"^(?:{})$")
        self.function_extensions["search"] = _Regex(r"(?:{})")

    def compare(self, left: object, operator: str, right: object) -> bool:
        _budget.get().spend()
        if operator in {"==", "!="} and isinstance(left, dict | list):
            _budget.get().measure(left)
        return super().compare(left, operator, right)


class _Regex(FilterFunction):
    """`match` and `search` in linear time; Python's own expressions can take exponential time."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - as the base class has it
    return_type = ExpressionType.LOGICAL

    def __init__(self, form: str) -> None:
        self._form = form

    def __call__(self, value: object, pattern: object) -> bool:
        if not isinstance(value, str) or not isinstance(pattern, str):
            return False
        _budget.get().spend(1 + (len(value) + len(pattern)) // 64)
        compiled = _regex(self._form.format(_rfc9485(pattern)))
        return compiled is not None and compiled.is_valid(value)


@lru_cache(maxsize=256)
def _regex(pattern: str) -> jsonschema_rs.Draft202012Validator | None:
    """Compile an expression. None if it is not valid: by RFC 9535, it matches nothing."""
    options = jsonschema_rs.RegexOptions(size_limit=_MAX_REGEX)
    try:
        return jsonschema_rs.Draft202012Validator(
            {"pattern": pattern}, offline=True, pattern_options=options
        )
    except (jsonschema_rs.ValidationError, ValueError):
        return None


def _rfc9485(pattern: str) -> str:
    """Give a dot outside of a class its I-Regexp meaning: anything but CR and LF (RFC 9485)."""
    return re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]|\.", _dot, pattern, flags=re.DOTALL)


def _dot(found: re.Match[str]) -> str:
    return r"[^\n\r]" if found[0] == "." else found[0]


def _count(path: JSONPath) -> None:
    """Add a counter to every segment of a path, and to the queries in its filters."""
    for segment in path.segments:
        for selector in segment.selectors:
            if isinstance(selector, Filter):
                _count_within(selector.expression)
        counter = _Counter(env=path.env, token=segment.token)
        segment.selectors = (counter, *segment.selectors)


def _count_within(expression: BaseExpression) -> None:
    if isinstance(expression, FilterQuery):
        _count(expression.path)  # its filters are the only children, and this visits them
        return
    for child in expression.children():
        _count_within(child)


def _told(error: Exception) -> str:
    """Return the message only; the library's `str` of an error also quotes the query over lines."""
    return str(error.args[0])[:200] if error.args else type(error).__name__


_ENVIRONMENT: Final = _Environment()
