"""Replicas of the operator: processes that share a lease, each with a user of its own.

The audit log of the API server says which of them held the lease at a write; what the replicas
believe does not matter.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.leader import LEASES
from support.controlplane import ControlPlane
from support.lease_audit import Write, writes
from support.operator_process import TAMPERED, OperatorProcess
from support.shop import Shop

KEPT_LEASE = 600
"""Seconds of a lease that must not expire, even on a busy machine."""


class Replicas:
    """Replicas that watch one namespace and keep their lease there.

    Attributes:
        users: Their names in the audit log and in the lease, in the order of their start.
        lease_seconds: The duration of the lease.
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

    def add_user(self) -> Path:
        """Create a user for the next replica and return its kubeconfig."""
        self.users.append(f"{self._shop.namespace}-{len(self.users)}")
        return self._control_plane.kubeconfig_of(self.users[-1])

    async def start(
        self, kubeconfig: Path | None = None, *, workers: int = 4, tamper: Path | None = None
    ) -> OperatorProcess:
        """Start a replica and wait until its caches have synced.

        Args:
            kubeconfig: That of the user that was added last; by default a user is added.
            workers: The number of concurrent reconciliations.
            tamper: The directory of `tampered_operator`.
        """
        kubeconfig = kubeconfig or self.add_user()
        namespace = self._shop.namespace
        who = ("--identity", self.users[-1], "--lease-namespace", namespace)
        times = (
            *("--lease-duration", str(self.lease_seconds)),
            *("--renew-deadline", str(self.lease_seconds * 0.8)),
            *("--retry-period", "0.5"),
        )
        flags = (*who, *times, "--workers", str(workers))
        program = ("-m", "mcp_operator") if tamper is None else (TAMPERED, tamper)
        operator = OperatorProcess(kubeconfig, namespace, *flags, program=program)
        self._started.append(operator)
        await operator.ready()
        return operator

    async def writes(self) -> list[Write]:
        """Return what the replicas have written so far."""
        return await asyncio.to_thread(writes, self._log, self.users)

    async def wrote(self, user: str) -> bool:
        """Return whether a user has written anything but the lease."""
        return any(w.user == user and not w.is_lease for w in await self.writes())

    async def edit_lease(self, **change: object) -> Object:
        """Change fields of the lease by hand; None removes one."""
        return await self._shop.client.merge_patch(LEASES, self.lease, {"spec": change})

    async def stop(self) -> None:
        for each in self._started:
            each.thaw()
            await asyncio.to_thread(each.stop)
