"""The operator as a process, observed through its metrics and /proc."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from support.network import free_port
from support.processes import ProcessGroup
from support.waiting import HANG_SECONDS, eventually

TAMPERED = Path(__file__).with_name("tampered_operator.py")
"""Runs the operator with a clock that can be set; the next argument is its directory."""

QUIET_SECONDS = 1.5
"""Without a request for this long, the operator counts as idle."""


class OperatorProcess:
    """The operator as a process, and its metrics, probes and log."""

    def __init__(
        self,
        kubeconfig: Path | None,
        namespace: str,
        *flags: str,
        within: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        program: Sequence[str | Path] = ("-m", "mcp_operator"),
    ) -> None:
        """Start it.

        Args:
            kubeconfig: The kubeconfig; None to use in-cluster configuration by `env` and `within`.
            namespace: The namespace that it watches; if empty, those in `env`, or all.
            flags: Further flags; without any, there is no leader election.
            within: A command that runs the operator's command.
            env: Additional environment variables.
            program: The program for Python, such as a script that patches something first.
        """
        self._group = ProcessGroup(Path(tempfile.mkdtemp(prefix="mcp-operator-bench-")))
        self._metrics, self._health = free_port(), free_port()
        self._child = self._group.start(
            "operator",
            [
                *(*within, sys.executable, *program, "operator"),
                *(("--kubeconfig", kubeconfig) if kubeconfig else ()),
                *(("--namespace", namespace) if namespace else ()),
                *("--log-level", "warning"),
                *("--bind-address", "127.0.0.1", "--metrics-port", str(self._metrics)),
                *("--health-port", str(self._health)),
                *(flags or ("--no-leader-elect",)),
            ],
            env={**os.environ, **(env or {})},
        )

    async def ready(self) -> None:
        """Wait until its readiness probe succeeds; raise if it exits before."""

        async def is_ready() -> bool:
            self._child.check()
            with contextlib.suppress(aiohttp.ClientError):
                return await self.is_ready()
            return False

        # Each probe takes CPU time of the operator, which the benchmarks measure.
        await eventually(is_ready, expected=True, every=0.05)

    async def is_ready(self) -> bool:
        """Return whether the readiness probe succeeds now."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self._health}/readyz") as answer,
        ):
            return answer.ok

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._group.logs()

    async def requests(self) -> Counter[str]:
        """Return how many requests were sent so far, by HTTP method."""
        sent: Counter[str] = Counter()
        for sample in await self.samples("rest_client_requests_total"):
            sent[sample.labels["method"]] += int(sample.value)
        return sent

    async def leads(self) -> bool:
        """Return whether this process holds the lease."""
        return any(s.value == 1 for s in await self.samples("leader_election_master_status"))

    async def samples(self, name: str) -> list[Sample]:
        """Return the samples with a name from its metrics."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self._metrics}/metrics") as answer,
        ):
            families = list(text_string_to_metric_families(await answer.text()))
        return [sample for family in families for sample in family.samples if sample.name == name]

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process, user and system."""
        return self._child.cpu_seconds()

    def rss_mb(self) -> float:
        """Return the resident memory of the process in MB."""
        return self._child.rss_mb()

    async def quiet(self) -> Counter[str]:
        """Wait until it sends no more requests, and return how many there were."""
        last = await self.requests()
        since = time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            await asyncio.sleep(0.25)  # each check takes CPU time of the operator
            now = await self.requests()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def kill(self) -> None:
        """Kill it with SIGKILL, like a crash."""
        self._child.process.kill()
        self._child.process.wait()

    def freeze(self) -> None:
        """Suspend it with SIGSTOP until `thaw`."""
        self._child.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it with SIGCONT."""
        self._child.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Send SIGTERM, as Kubernetes does; `ended` waits for the exit."""
        self._child.process.terminate()

    async def ended(self) -> int:
        """Wait until it has exited by itself, and return its exit code."""
        return await asyncio.to_thread(self._child.process.wait, HANG_SECONDS)

    def stop(self) -> None:
        """Stop it as Kubernetes does, and remove its files."""
        self._group.stop()
