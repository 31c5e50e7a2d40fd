"""Measures the same work of an operator in Go, written with controller-runtime, in the same run.

The time for a change needs a comparison: on one machine, it varies by a fifth from hour to hour.
The printed figures of both operators are measured within minutes.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.in_cluster import Account
from bench.workload import converged, create_workload
from support.connected import connected, own_namespace
from support.controlplane import Cluster
from support.operator_process import OperatorProcess
from support.processes import ProcessGroup
from support.shop import Shop

CHANGES = 200
"""Updates of one tool."""

PAUSE = 0.06
"""Seconds between two changes, so that they do not affect each other."""

ROLLED_OUT = 25.0
"""Seconds after which kube-controller-manager has rolled out fifty servers."""

_MODULE = Path(__file__).parent / "reference"
_CONTROLLERS = "system:serviceaccount:kube-system:"
"""The prefix of the accounts of kube-controller-manager."""

_WRITES = frozenset({"create", "delete", "patch", "update"})


@dataclass(frozen=True)
class Figures:
    """One row: the figures of an operator's start, and of many updates."""

    cold_seconds: float
    cold_cpu_seconds: float
    change_cpu_ms: float
    change_writes: float
    rss_mb: float

    def __str__(self) -> str:
        return (
            f"from cold {self.cold_seconds:.2f} s and {self.cold_cpu_seconds:.2f} s of CPU; "
            f"an update {self.change_cpu_ms:.1f} ms of CPU and {self.change_writes:.2f} writes; "
            f"RSS {self.rss_mb:.0f} MB"
        )


class _InGo:
    """The process of the operator in Go."""

    def __init__(self, program: Path, kubeconfig: Path, namespace: str) -> None:
        self._group = ProcessGroup(Path(tempfile.mkdtemp(prefix="mcp-operator-bench-")))
        env = {"KUBECONFIG": str(kubeconfig), "REFERENCE_NAMESPACE": namespace}
        child = self._group.start("reference", [program], env=os.environ | env)
        self.cpu_seconds, self.rss_mb = child.cpu_seconds, child.rss_mb

    def stop(self) -> None:
        self._group.stop()


def build(go: str, directory: Path) -> Path:
    """Build the operator in Go in a directory, and return the program."""
    program = directory / "operator"
    subprocess.run(  # noqa: S603 - Go and constant arguments
        [go, "build", "-trimpath", "-buildvcs=false", "-o", program, "."],
        cwd=_MODULE,
        env=os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""},
        check=True,
    )
    return program


async def measure(cluster: Cluster, servers: int, tools: int, program: Path | None) -> Figures:
    """Measure the operator in Go, or ours if there is no program, in its own namespace."""
    name = f"bench-{'go' if program else 'ours'}-{servers}x{tools}-{os.getpid()}"
    async with (
        connected(cluster.kubeconfig) as client,
        own_namespace(client, name) as shop,
        Account(client, cluster.kubeconfig, name) as account,
    ):
        with cluster.with_patient_controllers():
            await create_workload(shop, servers, tools)
            began = time.perf_counter()
            operator: OperatorProcess | _InGo = (
                _InGo(program, cluster.kubeconfig, name) if program else account.operator()
            )
            try:
                await converged(client, name, tools)
                seconds, cpu = time.perf_counter() - began, operator.cpu_seconds()
                await asyncio.sleep(ROLLED_OUT)
                change_cpu_ms, change_writes = await _update(cluster, shop, operator)
                return Figures(seconds, cpu, change_cpu_ms, change_writes, operator.rss_mb())
            finally:
                operator.stop()


async def _update(
    cluster: Cluster, shop: Shop, operator: OperatorProcess | _InGo
) -> tuple[float, float]:
    """Update a tool many times; return the CPU time in ms and the writes of each update."""
    cpu, written = operator.cpu_seconds(), _writes(cluster, shop.namespace)
    for number in range(CHANGES):
        await shop.patch("MCPTool", "team-0-tool-0", spec={"description": f"state {number}"})
        await asyncio.sleep(PAUSE)
    await asyncio.sleep(1)
    cpu, written = operator.cpu_seconds() - cpu, _writes(cluster, shop.namespace) - written
    return cpu / CHANGES * 1000, written / CHANGES - 1  # one of them is the update itself


def _writes(cluster: Cluster, namespace: str) -> float:
    """Count the writes to a namespace, including refused ones, except the controllers'.

    Returns:
        The number; NaN if the audit log of the cluster cannot be read.
    """
    if cluster.audit_log is None:
        return math.nan
    with cluster.audit_log.open(encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines if namespace in line]
    found = [
        entry
        for entry in entries
        if entry["verb"] in _WRITES
        and entry["objectRef"].get("namespace") == namespace
        and not entry["user"]["username"].startswith(_CONTROLLERS)
    ]
    return len(found)
