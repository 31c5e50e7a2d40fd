"""Limits how often one object is reconciled.

A user or a controller can change an object hundreds of times a second. Each reconciliation sees the
newest state, so most of them would be useless, and would delay other objects.
"""

from __future__ import annotations

import asyncio
from typing import Final

from mcp_operator.runtime.reconcile import Postponed, Reconciler, Request, Result

INTERVAL_SECONDS: Final = 0.05
"""Seconds between two reconciliations of an object that changes all the time."""

BURST: Final = 20
"""Reconciliations that an object can have without a pause after a quiet period."""


class Paced:
    """Passes requests on to a reconciler, and postpones those that come too often.

    The rule is a token bucket's, in the form of the generic cell rate algorithm (ITU-T I.371).
    """

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._full: dict[Request, float] = {}  # when the bucket of an object is full again
        self._kept = 1000

    async def reconcile(self, request: Request) -> Result | None:
        """Reconcile an object, or postpone the request."""
        now = asyncio.get_running_loop().time()
        full = max(now, self._full.get(request, now))
        wait = full - now - (BURST - 1) * INTERVAL_SECONDS
        if wait > INTERVAL_SECONDS / 100:  # less is rounding
            return Postponed(requeue_after=wait)
        self._full[request] = full + INTERVAL_SECONDS
        if len(self._full) > self._kept:
            self._full = {key: time for key, time in self._full.items() if time > now}
            self._kept = 1000 + 2 * len(self._full)
        return await self._reconciler.reconcile(request)
