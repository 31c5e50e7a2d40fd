"""When to try again: one answer for single requests, one for streams that must never end."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import Final

from mcp_operator.runtime.errors import NO_ANSWER, REFUSED, ApiError

MAX_RETRIES: Final = 3
"""Of one request. What fails longer is the business of the caller's own retry."""

_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 30.0


def retry_delay(method: str, attempt: int, error: ApiError) -> float | None:
    """Tell how long to wait before sending a failed request again.

    A write is sent again only where the server has certainly not acted on it: no connection came
    about, or the server turned it away for load. A read is sent again whenever that may help.

    Args:
        method: The HTTP method.
        attempt: How often the request has been sent again already.
        error: How it failed.

    Returns:
        Seconds, or None if it is not to be sent again.
    """
    untouched = error.reason == REFUSED or error.status == HTTPStatus.TOO_MANY_REQUESTS
    answered = NO_ANSWER < error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    readable = method == "GET" and not answered
    if attempt >= MAX_RETRIES or error.is_expired or not (untouched or readable):
        return None
    delay = error.retry_after or _FIRST_DELAY * 2.0**attempt
    return min(delay, _LONGEST_DELAY)


class Backoff:
    """Growing pauses with jitter, for a stream that is opened again and again.

    The constants are client-go's (tools/cache/reflector.go, NewReflectorWithOptions).
    """

    FIRST: Final = 0.8
    LONGEST: Final = 30.0
    LONGEST_REFUSED: Final = 2.5
    """Seconds where nobody listens: that loads no server, and most are back within a minute."""
    FACTOR: Final = 2.0

    def __init__(self) -> None:
        self.failures = 0

    def next(self, longest: float = LONGEST) -> float:
        """Count a failure and return the seconds to wait after it, up to twice `longest`."""
        delay = min(self.FIRST * self.FACTOR**self.failures, longest)
        self.failures += delay < longest  # no further: what has grown has to shrink soon after
        return delay * random.uniform(1.0, 2.0)  # noqa: S311  # spreads load, guards no secret

    def reset(self) -> None:
        """Forget the failures, after something went well."""
        self.failures = 0
