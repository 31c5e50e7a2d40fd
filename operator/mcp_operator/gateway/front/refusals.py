"""Limits the rate of refusals for clients that ignore `Retry-After`.

A refusal costs a third of a call. When the gateway is short of CPU, clients that retry at once take
it from admitted calls: at 60 times the load that the gateway serves best, it sent so many refusals
that it completed only a tenth of the calls that it could.
"""

from __future__ import annotations

import asyncio
from typing import Final

from mcp_operator.gateway.lag import LagWatch

LATE_SECONDS: Final = 0.025
"""Delay of the event loop that means that the gateway is short of CPU. A gateway that waits for
backends exceeds it only by chance, and then it refuses without delay."""

REFUSALS_PER_SECOND: Final = 500
"""Rate of refusals that is never delayed; it takes about 7 % of a core."""

MOST_SECONDS: Final = 1.0
"""The longest time that a client has to wait: as long as `Retry-After` asks it to."""

BURST_SECONDS: Final = 0.2
"""Refusals worth this many seconds are sent at once after a quiet time."""


class Refusals:
    """Decides how long the gateway stops reading from a client after it refused a request.

    The rule is a token bucket: the generic cell rate algorithm (ITU-T I.371).
    """

    def __init__(self, lag: LagWatch) -> None:
        """Set up.

        Args:
            lag: Measures the delay of the event loop.
        """
        self._lag = lag
        self._due = float("-inf")
        """When the refusals so far would be due at `REFUSALS_PER_SECOND`, in the loop's time."""

    def rest(self) -> float:
        """Count a refusal; return the seconds to pause reading, 0 for no pause."""
        now = asyncio.get_running_loop().time()
        due = max(self._due, now) + 1 / REFUSALS_PER_SECOND
        self._due = min(due, now + BURST_SECONDS + MOST_SECONDS)
        if self._lag.recent < LATE_SECONDS:
            return 0.0
        return max(0.0, self._due - now - BURST_SECONDS)
