"""Replicas of the operator, each a process with a user of its own, and whose turn it was to write.

The API server's audit log decides that, whatever the replicas believe of themselves.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.leader import LEASES
from support.controlplane import ControlPlane
from support.operator_process import OperatorProcess
from support.shop import Shop
from support.turns import Write, writes

KEPT_LEASE = 600
"""Seconds of a lease that no test waits for: it is kept, however busy the machine is."""


class Crew:
    """Replicas that share a lease, which is in the namespace where they work.

    Attributes:
        users: Their names, to the API server and in the lease, in the order of their start.
        lease_seconds: How long a lease lasts that is not renewed.
    """

    def __init__(
        self, control_plane: ControlPlane, shop: Shop, *, lease_seconds: int = KEPT_LEASE
    ) -> None:
        assert control_plane.audit_log is not None
        self.lease_seconds = lease_seconds
        self.users: list[str] = []
        self.lease = Key(shop.namespace, "mcp-operator")
        self._control_plane = control_plane
        self._log = control_plane.audit_log
        self._shop = shop
        self._started: list[OperatorProcess] = []

    def enlist(self) -> Path:
        """Return the kubeconfig of the user that the next replica is to be."""
        self.users.append(f"{self._shop.namespace}-{len(self.users)}")
        return self._control_plane.kubeconfig_of(self.users[-1])

    async def start(
        self, kubeconfig: Path | None = None, *, workers: int = 4, tamper: Path | None = None
    ) -> OperatorProcess:
        """Start a replica, as the user who was enlisted last if a kubeconfig is given.

        Returns:
            The replica, when its caches are full.
        """
        kubeconfig = kubeconfig or self.enlist()
        namespace = self._shop.namespace
        who = ("--identity", self.users[-1], "--lease-namespace", namespace)
        times = (
            *("--lease-duration", str(self.lease_seconds)),
            *("--renew-deadline", str(self.lease_seconds * 0.8)),
            *("--retry-period", "0.5"),
        )
        flags = (*who, *times, "--workers", str(workers))
        operator = OperatorProcess(kubeconfig, namespace, *flags, tamper=tamper)
        self._started.append(operator)
        await operator.ready()
        return operator

    async def writes(self) -> list[Write]:
        """Return what they have written so far."""
        return await asyncio.to_thread(writes, self._log, self.users)

    async def wrote(self, user: str) -> bool:
        """Tell whether a user has written anything but the lease."""
        return any(w.user == user and not w.is_lease for w in await self.writes())

    async def edit_lease(self, **change: object) -> Object:
        """Change fields of the lease by hand; None removes one."""
        return await self._shop.client.merge_patch(LEASES, self.lease, {"spec": change})

    async def stop(self) -> None:
        for each in self._started:
            each.thaw()
            await asyncio.to_thread(each.stop)
