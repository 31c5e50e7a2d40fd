"""Decides which problems with a server's children its status reports, and when.

Requests can fail briefly: an admission webhook restarts, or two writers change the same object.
Such a failure is retried at once, and reported only if it persists.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.api.conditions import Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.controllers.children import Outcome
from mcp_operator.core.meta import Key, Object, generation_of, key_of
from mcp_operator.runtime.apply import OwnershipConflictError
from mcp_operator.runtime.errors import ApiError

REPORT_AFTER_SECONDS: Final = 2.0
"""How long a retryable failure has to persist before it is reported. That is nine attempts, because
the delays between them start at 5 ms and double (`runtime/ratelimit.py`)."""

REWORD_SECONDS: Final = 60.0
"""How long a reported message is kept if the API server words the same failure differently. A
webhook that is down can refuse one request and let the next one time out, and each change of the
message would cost a status write and a watch event."""

_WITH_DIGITS: Final = re.compile(r"\w*\d\w*")
"""Ports, durations and identifiers, which differ from one failure to the next."""


@dataclass(slots=True)
class _Failing:
    """A server whose last pass failed.

    Attributes:
        since: When the first of the failed passes began, in the loop's time.
        reported: The condition in the status, if the failure has been reported.
        cause: The reported message is kept only while this does not change.
        reported_at: When that condition was created, in the loop's time.
    """

    since: float
    reported: Condition | None = None
    cause: tuple[object, ...] = ()
    reported_at: float = 0.0


class ApplyProblems:
    """Turns the results of applying children into conditions, and remembers what was reported."""

    def __init__(self) -> None:
        self._failing: dict[Key, _Failing] = {}

    def forget(self, server: Key) -> None:
        """Drop the state of a deleted server."""
        self._failing.pop(server, None)

    def condition(self, server: Object, outcome: Outcome, began: float) -> Condition | None:
        """Return the condition that reports a problem with the children.

        Args:
            server: The server as cached.
            outcome: The result of applying its children.
            began: When applying them began, in the loop's time; a webhook can make it take long.

        Returns:
            The condition. None if there is no problem, or if it has not persisted long enough: then
            do not change the status, and repeat the pass.
        """
        key = key_of(server)
        if outcome.error is None:
            self.forget(key)
            return _conflict(outcome.conflicts) if outcome.conflicts else None
        failing = self._failing.setdefault(key, _Failing(began))
        error = outcome.error
        now = asyncio.get_running_loop().time()
        next_try = now + (error.retry_after or 0.0)
        if error.is_retryable and next_try - failing.since < REPORT_AFTER_SECONDS:
            return failing.reported
        cause = (generation_of(server), error.request, error.is_retryable)
        found = _failed(error)
        reworded = failing.reported is not None and _words(found) != _words(failing.reported)
        if failing.cause != cause or (reworded and now - failing.reported_at >= REWORD_SECONDS):
            failing.reported, failing.cause, failing.reported_at = found, cause, now
        return failing.reported


def _words(condition: Condition) -> str:
    return _WITH_DIGITS.sub("#", condition.message)


def _failed(error: ApiError) -> Condition:
    what = "failed to apply a child" if error.is_retryable else "refused a child"
    return Condition(
        ConditionType.PROGRAMMED,
        status=False,
        reason=Reason.APPLY_FAILED,
        message=f"the API server {what}: {error}",
    )


def _conflict(conflicts: Sequence[OwnershipConflictError]) -> Condition:
    """Name every object in the way, grouped by owner to keep the message short."""
    by_owner: dict[str, list[str]] = {}
    for conflict in conflicts:
        by_owner.setdefault(conflict.owner, []).append(conflict.name)
    sentences = []
    for owner, names in by_owner.items():
        exist, belong, have = (
            ("exists", "belongs", "has") if len(names) == 1 else ("exist", "belong", "have")
        )
        whose = f"{belong} to {owner}" if owner else f"{have} no owner"
        sentences.append(f"{', '.join(names)} already {exist} and {whose}")
    return Condition(
        ConditionType.PROGRAMMED,
        status=False,
        reason=Reason.CONFLICT,
        message=f"{'; '.join(sentences)}: delete or rename the conflicting objects, or rename "
        "the server. Until then, no child of the server is created or updated",
    )
