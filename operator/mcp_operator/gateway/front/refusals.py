"""How fast refusals are given to clients that ask again at once.

A refusal costs a third of a call. While the processor is what a gateway lacks, clients that do not
wait as `Retry-After` says take it from the calls that there is a place for: of 60 times as many as
it serves best, so many were refused that it answered a tenth of what it could.
"""

from __future__ import annotations

import asyncio
from typing import Final

from mcp_operator.gateway.lag import LagWatch

LATE_SECONDS: Final = 0.025
"""By how much the event loop is late where the processor is what lacks. A gateway that waits for
backends is later only by chance, and there nobody has to wait for a refusal."""

REFUSALS_PER_SECOND: Final = 500
"""Refusals that are given at any rate; they take some 7 % of a core."""

MOST_SECONDS: Final = 1.0
"""How long a client is kept waiting at most: no longer than `Retry-After` asks it to wait."""

BURST_SECONDS: Final = 0.2
"""Refusals of so long are given at once, if there were few before."""


class Refusals:
    """Says for how long nothing more is read from a client that was refused.

    The rule is a token bucket's, in the form of the generic cell rate algorithm (ITU-T I.371).
    """

    def __init__(self, lag: LagWatch) -> None:
        """Set up.

        Args:
            lag: Tells how late the event loop is.
        """
        self._lag = lag
        self._due = float("-inf")
        """When as many refusals as were given are due at that rate, in the loop's time."""

    def rest(self) -> float:
        """Count a refusal; return seconds, 0 where the next request can be read at once."""
        now = asyncio.get_running_loop().time()
        due = max(self._due, now) + 1 / REFUSALS_PER_SECOND
        self._due = min(due, now + BURST_SECONDS + MOST_SECONDS)
        if self._lag.recent < LATE_SECONDS:
            return 0.0
        return max(0.0, self._due - now - BURST_SECONDS)
