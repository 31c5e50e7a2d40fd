"""Compiles the expressions of `response` and `auth`, each once, and only if a tool or rule has one.

Their libraries take longer to load than everything else that `mcp-operator serve` needs to answer.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp_operator.api.error_when import ErrorWhen
    from mcp_operator.api.jmespath import JmesPath
    from mcp_operator.api.jsonpath import JsonPath
    from mcp_operator.api.rule_when import RuleWhen


@lru_cache(maxsize=4096)
def json_path(query: str) -> JsonPath:
    """Compile a query of RFC 9535.

    Raises:
        SelectionError: It is not a valid query.
    """
    from mcp_operator.api.jsonpath import JsonPath

    return JsonPath(query)


@lru_cache(maxsize=4096)
def jmes_path(expression: str) -> JmesPath:
    """Compile a JMESPath.

    Raises:
        SelectionError: It is not a valid JMESPath.
    """
    from mcp_operator.api.jmespath import JmesPath

    return JmesPath(expression)


@lru_cache(maxsize=4096)
def error_when(condition: str) -> ErrorWhen:
    """Compile the condition of an `errorWhen`.

    Raises:
        SelectionError: It is not valid, or has a form that could take long.
    """
    from mcp_operator.api.error_when import ErrorWhen

    return ErrorWhen(condition)


@lru_cache(maxsize=4096)
def rule_when(condition: str) -> RuleWhen:
    """Compile the condition of a rule.

    Raises:
        SelectionError: It is not valid, or has a form that could take long.
    """
    from mcp_operator.api.rule_when import RuleWhen

    return RuleWhen(condition)
