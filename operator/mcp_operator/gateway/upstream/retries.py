"""Retries of requests that a tool's author allows, within a budget."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from mcp_operator.api.catalog import RetryPolicy
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import UpstreamError
from mcp_operator.gateway.upstream.mapping import Request

log = logging.getLogger(__name__)

SHARE: Final = 0.2
"""Retries that each request adds to the budget: a fifth, as in Finagle and Linkerd."""

RESERVE: Final = 10.0
"""Retries in the initial budget of a backend, which is also the maximum."""

MAX_BUDGETS: Final = 1024
"""Backends whose budgets are kept."""

_CAUSES: Final = {"connect": "connect-failure", "closed": "reset"}
"""Reasons of an `UpstreamError` that can be retried, with their names in the API."""


class Budget:
    """The retries that one backend can get."""

    def __init__(self) -> None:
        self._left = RESERVE

    def earn(self) -> None:
        """Count a request."""
        self._left = min(RESERVE, self._left + SHARE)

    def spend(self) -> bool:
        """Use one retry; returns False if none is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Budgets:
    """The budgets of all backends."""

    def __init__(self) -> None:
        self._budgets: OrderedDict[tuple[str, int], Budget] = OrderedDict()

    def of(self, host: str, port: int) -> Budget:
        """Return the budget of a backend, which all tools with this backend share."""
        budget = self._budgets.setdefault((host, port), Budget())
        self._budgets.move_to_end((host, port))
        if len(self._budgets) > MAX_BUDGETS:
            self._budgets.popitem(last=False)
        return budget


class Retrying:
    """Sends the requests of one call, with retries by the policy; call it to send a request."""

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Answer]],
        policy: RetryPolicy | None,
        budget: Budget,
        deadline: float,
        entry: str,
    ) -> None:
        """Set up.

        Args:
            send: Sends a request once.
            policy: The retries that the tool's author allows; None for none.
            budget: The retry budget of the backend.
            deadline: When the call ends, in the loop's time.
            entry: The name of the tool or resource, for the log.
        """
        self._send = send
        self._policy = policy
        self._budget = budget
        self._deadline = deadline
        self._entry = entry
        self._retries = 0

    async def __call__(self, request: Request) -> Answer:
        """Send a request, and retry it if that is allowed and there is time.

        Raises:
            UpstreamError: There was no usable response.
        """
        self._budget.earn()
        while True:
            try:
                answer = await self._send(request)
            except UpstreamError as error:
                if not await self._again(_CAUSES.get(error.reason, ""), None):
                    raise
            else:
                if not await self._again(str(answer.status), answer):
                    return answer

    async def _again(self, cause: str, answer: Answer | None) -> bool:
        """Wait before the next attempt; returns False if there is none.

        Args:
            cause: What happened, by its name in the API.
            answer: The response, which can ask for a delay.
        """
        policy = self._policy
        if policy is None or cause not in policy.on or self._retries >= policy.attempts:
            return False
        asked = retry_after(answer) if answer is not None else 0.0
        pause = max(asked, policy.backoff_seconds * 2**self._retries)
        if asyncio.get_running_loop().time() + pause >= self._deadline or not self._budget.spend():
            return False
        self._retries += 1
        log.info(
            "Retrying a request to a backend",
            extra={"entry": self._entry, "cause": cause, "retry": self._retries, "pause": pause},
        )
        await asyncio.sleep(pause)
        return True


def retry_after(answer: Answer) -> float:
    """Return the seconds that a response asks to wait (RFC 9110 section 10.2.3), or 0."""
    value = answer.header("retry-after").strip()
    if value.isdecimal():
        return float(value)
    try:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):  # not a date, or a date without a time zone
        return 0.0
