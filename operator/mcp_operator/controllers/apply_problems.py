"""What a server's status says of children that could not be brought up to date, and when.

The API server fails writes for a moment now and then: an admission webhook restarts, two writers
meet. Such a failure is retried at once, and said only if it lasts.
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

PATIENCE_SECONDS: Final = 2.0
"""How long a failure that may pass by itself is only retried. Within it there are nine tries, as
the waits double from 5 ms on (`runtime/ratelimit.py`)."""

REWORD_SECONDS: Final = 60.0
"""How long the words of a failure stand though the API server finds others for it: a webhook that
is down is now refused, now timed out, and each would be a status and a watch event of its own."""

_WITH_DIGITS: Final = re.compile(r"\w*\d\w*")
"""Ports, durations, identifiers: they differ from one failure to the next and mean nothing."""


@dataclass(slots=True)
class _Failing:
    """A server whose last pass failed.

    Attributes:
        since: When the first pass of those that failed in a row began, by the loop's clock.
        said: What the status says of it, if anything yet.
        cause: What has to be the same for the words to stay.
        at: When those words were found.
    """

    since: float
    said: Condition | None = None
    cause: tuple[object, ...] = ()
    at: float = 0.0


class ApplyProblems:
    """Makes conditions of what kept children from being applied, and remembers what it said."""

    def __init__(self) -> None:
        self._failing: dict[Key, _Failing] = {}

    def forget(self, server: Key) -> None:
        """Drop what is known of a server that is gone."""
        self._failing.pop(server, None)

    def judge(self, server: Object, outcome: Outcome, began: float) -> Condition | None:
        """Return what the status is to say of a pass.

        Args:
            server: The server as cached.
            outcome: How the application of its children went.
            began: When that began, by the loop's clock: a webhook may keep it waiting for long.

        Returns:
            The condition that is to blame. None where there is no problem, or one that may pass:
            then nothing new can be said of the server, and the pass is to be repeated.
        """
        key = key_of(server)
        if outcome.error is None:
            self.forget(key)
            return _in_the_way(outcome.conflicts) if outcome.conflicts else None
        failing = self._failing.setdefault(key, _Failing(began))
        error = outcome.error
        now = asyncio.get_running_loop().time()
        next_try = now + (error.retry_after or 0.0)
        if error.is_retryable and next_try - failing.since < PATIENCE_SECONDS:
            return failing.said
        cause = (generation_of(server), error.request, error.is_retryable)
        found = _failed(error)
        reworded = failing.said is not None and _words(found) != _words(failing.said)
        if failing.cause != cause or (reworded and now - failing.at >= REWORD_SECONDS):
            failing.said, failing.cause, failing.at = found, cause, now
        return failing.said


def _words(condition: Condition) -> str:
    return _WITH_DIGITS.sub("#", condition.message)


def _failed(error: ApiError) -> Condition:
    what = "failed at a request for a child" if error.is_retryable else "refused a child"
    return Condition(
        ConditionType.PROGRAMMED,
        status=False,
        reason=Reason.APPLY_FAILED,
        message=f"the API server {what}: {error}",
    )


def _in_the_way(conflicts: Sequence[OwnershipConflictError]) -> Condition:
    """Name every object in the way, those of one owner together: a message is of bounded length."""
    by_owner: dict[str, list[str]] = {}
    for conflict in conflicts:
        by_owner.setdefault(conflict.owner, []).append(conflict.name)
    said = []
    for owner, names in by_owner.items():
        exist, belong, have = (
            ("exists", "belongs", "has") if len(names) == 1 else ("exist", "belong", "have")
        )
        whose = f"{belong} to {owner}" if owner else f"{have} no owner"
        said.append(f"{', '.join(names)} {exist} already and {whose}")
    return Condition(
        ConditionType.PROGRAMMED,
        status=False,
        reason=Reason.CONFLICT,
        message=f"{'; '.join(said)}: delete or rename what is in the way, or rename the server; "
        "until then nothing of the server is created or changed",
    )
