"""Errors of Redis."""

from __future__ import annotations

from mcp_operator.core.errors import OperatorError


class RedisAwayError(OperatorError):
    """Redis does not reply, or refuses; the message is for the log, and has no credentials."""


class UnknownScriptError(OperatorError):
    """Redis does not have the script with the digest in the command."""
