"""What a reconciler is given, and the ways it may answer.

The answer says when to come again, and the controller does the rest: a reconciler neither sleeps,
nor counts, nor retries.

    returns None           done; come again when something changes
    returns Result(d)      done for now; come again after d seconds, whatever happens
    raises TerminalError   failed; only a change of the objects can help, so do not retry
    raises RetryAfterError failed; come again after the seconds it names
    raises anything else   failed; come again with exponential backoff
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key

Request = Key
"""What Go users know as `reconcile.Request`: the name of an object, never the event or the object.

A reconciler reads the present from the caches, so that running twice, late, or after a crash makes
no difference.
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


class TerminalError(OperatorError):
    """A failure that trying again cannot mend."""


class RetryAfterError(OperatorError):
    """A failure that is known to last for a time.

    Attributes:
        retry_after: Seconds until the next try.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Reconciler(Protocol):
    """Brings the world into the state that one object asks for."""

    async def reconcile(self, request: Request) -> Result | None:
        """Compare and repair; must be idempotent, and may be cancelled at any await."""
