"""Which installation of the operator runs a server, so that two of them never fight over it.

An installation is named by its Lease, `NAMESPACE/NAME`, and writes that name into the status of
each server that it runs. Another installation leaves the server alone for as long as that Lease is
being renewed, and says so.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from mcp_operator.core.clock import Clock
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.leader import LEASES

logger = logging.getLogger(__name__)

STATUS_FIELD = "operator"
"""The field of a server's status that names the installation."""

RUN_ELSEWHERE = "RunElsewhere"
"""The reason of the Event on a server that another installation runs."""

GRACE_SECONDS = 60.0
"""How long after its Lease has run out an installation is still believed to be alive: its leader
may be changing, and clocks differ. Taking over late harms nobody, for the gateways run on."""

CACHED_SECONDS = 15.0
"""How long an answer about one installation is used again."""


@dataclass(frozen=True, slots=True)
class _Belief:
    alive: bool
    until: float


class InstallationLeases:
    """Tells whether a server is ours to run.

    Args:
        client: Reads the Leases of other installations.
        clock: Tells whether a Lease has run out.
        installation: Our own name; empty where there is no leader election, and so no Lease that
            could show that we live: then nothing is claimed and nothing respected.
    """

    def __init__(self, client: Client, clock: Clock, installation: str) -> None:
        self._client = client
        self._clock = clock
        self.installation = installation
        self._beliefs: dict[str, _Belief] = {}

    async def other_installation(self, server: Object) -> str:
        """Return the other installation that runs a server, or nothing if it is ours to run.

        Raises:
            ApiError: The API server could not be asked.
        """
        claimed = str((server.get("status") or {}).get(STATUS_FIELD) or "")
        if not self.installation or claimed in {"", self.installation}:
            return ""
        return claimed if await self._is_alive(claimed) else ""

    async def _is_alive(self, installation: str) -> bool:
        now = asyncio.get_running_loop().time()
        belief = self._beliefs.get(installation)
        if belief is None or belief.until <= now:
            alive = await self._renews(installation)
            belief = self._beliefs[installation] = _Belief(alive, now + CACHED_SECONDS)
        return belief.alive

    async def _renews(self, installation: str) -> bool:
        namespace, _, name = installation.partition("/")
        try:
            lease = await self._client.get(LEASES, Key(namespace, name))
        except ApiError as error:
            if error.is_not_found:
                return False
            if error.is_forbidden:
                logger.warning(
                    "A server was run by another installation whose Lease may not be read here; "
                    "it is taken over",
                    extra={"installation": installation},
                )
                return False
            raise
        return _is_held(lease.get("spec") or {}, self._clock.now())


def _is_held(spec: Object, now: datetime) -> bool:
    """Tell whether a Lease has a holder who renewed it not long ago."""
    renewed = spec.get("renewTime")
    if not spec.get("holderIdentity") or not renewed:
        return False
    at = datetime.fromisoformat(renewed).astimezone(UTC)
    limit = float(spec.get("leaseDurationSeconds") or 0) + GRACE_SECONDS
    return (now - at).total_seconds() < limit
