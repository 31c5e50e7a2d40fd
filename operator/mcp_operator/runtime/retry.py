"""When to retry: one policy for single requests, one for streams that are always reopened."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import Final

from mcp_operator.runtime.errors import NO_ANSWER, ApiError

MAX_RETRIES: Final = 3
"""Retries of one request. Callers handle longer outages."""

_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 30.0


def retry_delay(method: str, attempt: int, error: ApiError) -> float | None:
    """Return the seconds to wait before retrying a request, or None if it must not be retried.

    A write is retried only if the server cannot have processed it: no connection was established,
    or the server rejected it because of load. A read is retried whenever that may help. `attempt`
    is the number of retries so far.
    """
    untouched = error.is_unreachable or error.status == HTTPStatus.TOO_MANY_REQUESTS
    answered = NO_ANSWER < error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    readable = method == "GET" and not answered
    if attempt >= MAX_RETRIES or error.is_expired or not (untouched or readable):
        return None
    delay = error.retry_after or _FIRST_DELAY * 2.0**attempt
    return min(delay, _LONGEST_DELAY)


class Backoff:
    """Exponential backoff with jitter, for a stream that is reopened again and again.

    The constants are client-go's (tools/cache/reflector.go, NewReflectorWithOptions).
    """

    FIRST: Final = 0.8
    LONGEST: Final = 30.0
    LONGEST_REFUSED: Final = 2.5
    """Seconds if connections are refused: this loads no server, and most return in a minute."""
    FACTOR: Final = 2.0

    def __init__(self) -> None:
        self.failures = 0

    def next(self, longest: float = LONGEST) -> float:
        """Count a failure and return the seconds to wait, up to twice `longest`."""
        delay = min(self.FIRST * self.FACTOR**self.failures, longest)
        self.failures += delay < longest  # not past the cap: the next one may be higher
        return delay * random.uniform(1.0, 2.0)  # noqa: S311  # spreads load, guards no secret

    def reset(self) -> None:
        """Forget all failures, after a success."""
        self.failures = 0
