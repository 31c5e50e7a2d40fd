"""The error of a client whose call exceeds a limit."""

from __future__ import annotations

import math
from typing import Final, Literal

from mcp_operator.core.errors import OperatorError

Limit = Literal[
    "shared", "perClient", "tools", "prompts", "resources", "tool", "toolConcurrency", "redis"
]
"""The fields that limit calls: those of `rateLimits`, an MCPTool's `rateLimit` and
`maxConcurrentRequests`, and `redis` with `failureMode: Closed`."""

_WHOSE: Final[dict[Limit, str]] = {
    "shared": "This server reached its limit of calls",
    "perClient": "You reached your limit of calls",
    "tools": "The limit of calls to these tools is reached",
    "prompts": "The limit of requests for these prompts is reached",
    "resources": "The limit of reads of these resources is reached",
    "tool": "The limit of calls to this tool is reached",
}


class LimitedError(OperatorError):
    """A call is refused because it exceeds a limit; the message is safe for clients.

    Attributes:
        limit: The limit that was exceeded.
        retry_after: Whole seconds after which the client can retry.
        status: The HTTP status.
    """

    def __init__(self, limit: Limit, message: str, retry_after: int, *, status: int = 429) -> None:
        super().__init__(message)
        self.limit: Limit = limit
        self.retry_after = retry_after
        self.status = status


def too_many(limit: Limit, wait: float) -> LimitedError:
    """Return the error for a call that would be admitted `wait` seconds from now."""
    seconds = max(1, math.ceil(wait))
    unit = "second" if seconds == 1 else "seconds"
    return LimitedError(limit, f"{_WHOSE[limit]}; try again in {seconds} {unit}", seconds)
