"""How asking Redis fails."""

from __future__ import annotations

from mcp_operator.core.errors import OperatorError


class RedisAwayError(OperatorError):
    """Redis does not answer, or refuses; the sentence is for the log, and holds no credentials."""


class UnknownScriptError(OperatorError):
    """Redis does not have a script that was named by its digest."""
