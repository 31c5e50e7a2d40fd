"""The operator as users run it: a process of its own, observed through its metrics and /proc."""

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
"""Without a request for this long, the operator counts as done."""


class OperatorProcess:
    """The operator as users run it, and what it says of itself."""

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
            kubeconfig: An administrator's; None where `env` and `within` make it find a pod's.
            namespace: The one that it is to work in; if empty, what `env` says, or all.
            flags: Further flags; without any there is no leader election.
            within: A command that ends with the one it is given.
            env: More environment variables.
            program: What Python is to run, such as a script that changes something first.
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
        """Wait until its readiness probe says so, or raise what it died of."""

        async def is_ready() -> bool:
            self._child.check()
            with contextlib.suppress(aiohttp.ClientError):
                return await self.is_ready()
            return False

        # Each look costs it CPU time, which the benchmarks count.
        await eventually(is_ready, expected=True, every=0.05)

    async def is_ready(self) -> bool:
        """Tell what the readiness probe says now."""
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
        """Tell whether this process holds the lease."""
        return any(s.value == 1 for s in await self.samples("leader_election_master_status"))

    async def samples(self, name: str) -> list[Sample]:
        """Return the samples of one name from its metrics."""
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
        """Wait until no request is sent any more, and return how many there were."""
        last = await self.requests()
        since = time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            await asyncio.sleep(0.25)  # each look costs the operator some CPU time
            now = await self.requests()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def kill(self) -> None:
        """End it as a crash would: it can say and write nothing more."""
        self._child.process.kill()
        self._child.process.wait()

    def freeze(self) -> None:
        """Let it do nothing, and know nothing of the time that goes by, until it is thawed."""
        self._child.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        self._child.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end, as Kubernetes does; `ended` tells when it has."""
        self._child.process.terminate()

    async def ended(self) -> int:
        """Wait until it has ended by itself, and return its exit code."""
        return await asyncio.to_thread(self._child.process.wait, HANG_SECONDS)

    def stop(self) -> None:
        """End it as Kubernetes would, and remove what it has left."""
        self._group.stop()
