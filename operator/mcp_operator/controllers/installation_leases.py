"""Finds out which installation of the operator manages a server, so that two never write to it.

An installation is identified by its Lease, `NAMESPACE/NAME`, and writes that name into the status
of each server that it manages. Other installations skip the server while that Lease is renewed and
its annotations cover the server's namespace.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mcp_operator.controllers.event_reasons import EventReason
from mcp_operator.core.clock import Clock
from mcp_operator.core.meta import Key, Object, annotations_of, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.leader import LEASES
from mcp_operator.runtime.scope import may_cover

logger = logging.getLogger(__name__)

STATUS_FIELD = "operator"
"""The field of a server's status that names the installation."""

GRACE_SECONDS = 60.0
"""Seconds for which an installation counts as running after its Lease has expired, because its
leader may be changing, and clocks differ. A late takeover is harmless: the gateways keep running.
"""

CACHED_SECONDS = 15.0
"""Seconds for which the state of an installation's Lease is cached."""


@dataclass(frozen=True, slots=True)
class _CachedAnswer:
    alive: bool
    annotations: Mapping[str, str]
    until: float


class InstallationLeases:
    """Finds out, from their Leases, which servers other installations manage.

    Args:
        client: Reads the Leases of other installations.
        clock: Decides whether a Lease has expired.
        installation: The name of this installation. Empty without leader election: with no Lease
            of its own, it neither marks servers nor looks at the marks of others.
        labels: Returns the labels of a namespace; None if they are not known.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        installation: str,
        labels: Callable[[str], Mapping[str, str] | None] = lambda _: None,
    ) -> None:
        self._client = client
        self._clock = clock
        self.installation = installation
        self._labels = labels
        self._answers: dict[str, _CachedAnswer] = {}
        self._told: dict[Key, str] = {}

    async def other_installation(self, server: Object) -> str:
        """Return the other installation that manages a server; empty if there is none.

        Raises:
            ApiError: The Lease could not be read.
        """
        claimed = str((server.get("status") or {}).get(STATUS_FIELD) or "")
        if not self.installation or claimed in {"", self.installation}:
            self.forget(key_of(server))
            return ""
        answer = await self._answer(claimed)
        namespace = key_of(server).namespace
        covered = may_cover(answer.annotations, namespace, self._labels(namespace))
        if not (answer.alive and covered):
            return ""
        self._tell(key_of(server), claimed)
        return claimed

    def forget(self, server: Key) -> None:
        """Drop the state of a server that was deleted, or that this installation manages."""
        self._told.pop(server, None)

    def _tell(self, server: Key, installation: str) -> None:
        """Log that a server is skipped, once for each installation that manages it."""
        if self._told.get(server) != installation:
            self._told[server] = installation
            logger.warning(
                "Another installation of the operator manages this server; skipping it",
                extra={
                    "server": str(server),
                    "installation": installation,
                    "reason": EventReason.RUN_ELSEWHERE,
                },
            )

    async def _answer(self, installation: str) -> _CachedAnswer:
        now = asyncio.get_running_loop().time()
        answer = self._answers.get(installation)
        if answer is None or answer.until <= now:
            lease = await self._lease(installation)
            alive = _is_held(lease.get("spec") or {}, self._clock.now())
            annotations = annotations_of(lease) if lease else {}
            answer = _CachedAnswer(alive, annotations, now + CACHED_SECONDS)
            self._answers[installation] = answer
        return answer

    async def _lease(self, installation: str) -> Object:
        """Return the Lease of an installation; empty if it does not exist or is forbidden."""
        namespace, _, name = installation.partition("/")
        try:
            return await self._client.get(LEASES, Key(namespace, name))
        except ApiError as error:
            if error.is_not_found:
                return {}
            if error.is_forbidden:
                logger.warning(
                    "Taking over a server of another installation, because its Lease cannot be "
                    "read",
                    extra={"installation": installation},
                )
                return {}
            raise


def _is_held(spec: Object, now: datetime) -> bool:
    """Return whether a Lease has a holder that renewed it recently."""
    renewed = spec.get("renewTime")
    if not spec.get("holderIdentity") or not renewed:
        return False
    at = datetime.fromisoformat(renewed).astimezone(UTC)
    limit = float(spec.get("leaseDurationSeconds") or 0) + GRACE_SECONDS
    return (now - at).total_seconds() < limit
