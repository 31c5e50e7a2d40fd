"""Expressions on responses: JSONPath, JMESPath and the conditions of `errorWhen`."""

from __future__ import annotations

import json
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from fuzz.feed import Feed
from fuzz.messages import same
from mcp_operator.api.budget import SelectionError
from mcp_operator.api.error_when import ErrorWhen
from mcp_operator.api.jmespath import JmesPath
from mcp_operator.api.jsonpath import JsonPath
from mcp_operator.gateway import exact

DOCUMENTS: tuple[Any, ...] = (
    {"items": [{"name": "a", "n": 1.5}, {"name": "\u2028", "tags": ["x", None]}], "next": None},
    [[1, [2, [3, [{"a": {"a": {"a": 0}}}]]]], "aaaaaaaaaaaaaaaaaaaaaaaa", True],
    {"error": {"code": 17, "message": "no"}, "errors": [], "big": 2**70},
    "text",
    None,
)


def check(data: bytes) -> None:
    """Compile an expression, and evaluate it."""
    feed = Feed(data)
    language, document = feed.pick((_json_path, _jmes_path, _error_when)), feed.pick(DOCUMENTS)
    if feed.byte() % 4 == 0:
        document = json.loads(json.dumps(feed.value()))
    language(feed.rest().decode("utf-8", "replace"), document)


def _json_path(query: str, document: Any) -> None:
    try:
        found = JsonPath(query).select(document)
    except SelectionError as error:
        _check_sentence(error)
        return
    exact.dumps(found)


def _jmes_path(expression: str, document: Any) -> None:
    try:
        found = JmesPath(expression).select(document)
    except SelectionError as error:
        _check_sentence(error)
        return
    try:
        written = json.loads(json.dumps(found))
        other = jmespath.search(expression, document)
    except (JMESPathError, ArithmeticError, RecursionError, TypeError, ValueError):
        return
    assert same(written, json.loads(json.dumps(other)))


def _error_when(condition: str, document: Any) -> None:
    try:
        compiled = ErrorWhen(condition)
        failed = compiled.holds(404, {"x-a": "b"}, document)
    except SelectionError as error:
        _check_sentence(error)
        return
    assert isinstance(failed, bool)


def _check_sentence(error: SelectionError) -> None:
    assert str(error)
    assert len(str(error)) < 20_000
