"""What a reconciler receives, and what it can return.

The result says when to reconcile again, and the controller does the rest: a reconciler does not
sleep, count or retry.

    returns None           done; reconcile again after a change
    returns Result(d)      done for now; reconcile again after d seconds in any case
    returns Postponed(d)   not started; reconcile after d seconds
    raises TerminalError   failed; only a change of the objects can help, so do not retry
    raises RetryAfterError failed; retry after the given seconds
    raises anything else   failed; retry with exponential backoff
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key

Request = Key
"""The key of an object, never the event or the object; controller-runtime's `reconcile.Request`.

A reconciler reads the current state from the caches, so that running twice, late or after a crash
makes no difference.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """A success.

    Attributes:
        requeue_after: Seconds until the next reconciliation, more than 0; None waits for a change.
    """

    requeue_after: float | None = None

    def __post_init__(self) -> None:
        if self.requeue_after is not None and self.requeue_after <= 0:
            raise ValueError(f"requeue_after must be more than 0 s, not {self.requeue_after:g} s")


class Postponed(Result):
    """Nothing was attempted yet, so the earlier failures of the key still count."""


class TerminalError(OperatorError):
    """A failure that a retry cannot fix."""


class RetryAfterError(OperatorError):
    """A failure that is known to last for some time.

    Attributes:
        retry_after: Seconds until the retry.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Reconciler(Protocol):
    """Brings the cluster into the state that one object declares."""

    async def reconcile(self, request: Request) -> Result | None:
        """Compare and correct; must be idempotent, and can be cancelled at any await."""
