"""Assembles an operator: starts its components in order, and stops them in reverse order.

    http -> caches -> (the queues fill) -> lease -> workers

Each stage is a `TaskGroup` inside the previous one. A component that ends unexpectedly cancels its
group, inner groups first: the process exits with an error that names the cause, and starts again
from a clean state. There is no other error handling at this level.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.core.tasks import forever, root_error, until_cancelled
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.probes import ALL_INTERFACES, Check, Checks, health_server, metrics_server

logger = logging.getLogger(__name__)

CACHE_SYNC_TIMEOUT: Final = 120.0
"""Seconds within which the caches must sync; controller-runtime's CacheSyncTimeout."""

SHUTDOWN_GRACE: Final = 30.0
"""Seconds to finish reconciliations; controller-runtime's GracefulShutdownTimeout."""

MAX_LOOP_LAG: Final = 5.0
"""Seconds of event loop lag after which the process counts as hung."""

_LAG_INTERVAL: Final = 0.5
"""Seconds between two measurements of the lag."""


class Caches(Protocol):
    """What a manager needs from an `InformerSet`."""

    async def run(self) -> None:
        """Run all informers until cancelled."""

    async def wait_synced(self, timeout: float) -> None:  # noqa: ASYNC109  # names what is late
        """Return once all caches have synced; raise if that takes more than `timeout` seconds."""

    def stuck(self) -> str:
        """Describe a problem that a restart would fix; empty if there is none."""


class Elector(Protocol):
    """What a manager needs from a leader election."""

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Acquire the lease, run `lead` while it is held, release it; raise if it is lost."""

    def stuck(self) -> str:
        """Describe a problem that a restart would fix; empty if there is none."""


Runnable = Callable[[], Awaitable[None]]
"""Runs until it is cancelled, and must not end on its own."""


class Manager:
    """Runs caches, controllers and other tasks as one process.

    Args:
        informers: The caches that the controllers read.
        metrics: The metrics to record; `/metrics` exposes their registry.
        metrics_port: The port of `/metrics`; 0 for any free port, see `metrics_server.port`.
        health_port: The port of `/livez`, `/readyz` and `/healthz`; 0 for any free port.
        elector: Elects the replica that works; None if there is only one.
        host: The address that both servers listen on.
    """

    def __init__(
        self,
        *,
        informers: Caches,
        metrics: RuntimeMetrics,
        metrics_port: int,
        health_port: int,
        elector: Elector | None = None,
        host: str = ALL_INTERFACES,
    ) -> None:
        self._informers = informers
        self._metrics = metrics
        self._elector = elector
        self._controllers: list[Controller] = []
        self._always: dict[str, Runnable] = {}
        self._while_leading: dict[str, Runnable] = {}
        self._live, self._ready = Checks(), Checks()
        self._synced = False
        self._tasks: list[asyncio.Task[None]] = []
        self._lag = 0.0
        self.metrics_server = metrics_server(metrics.registry, metrics_port, host)
        self.health_server = health_server(self._live, self._ready, health_port, host)
        self.add_check("event-loop", self._check_lag, live=True)
        self.add_check("informers", informers.stuck, live=True)
        if elector is not None:
            self.add_check("lease", elector.stuck, live=True)
        self.add_check("caches-synced", self._check_synced)

    def add(self, controller: Controller) -> None:
        """Add a controller, whose workers run while this process leads."""
        self._controllers.append(controller)

    def add_runnable(self, name: str, run: Runnable, *, leader_only: bool = False) -> None:
        """Add a task, to run once the caches have synced, or only while this process leads."""
        (self._while_leading if leader_only else self._always)[name] = run

    def add_check(self, name: str, check: Check, *, live: bool = False) -> None:
        """Add a check to `/readyz`, and with `live` to `/livez` as well.

        If a live check fails, the kubelet restarts the process: use it for what a restart fixes.
        """
        self._ready.add(name, check)
        if live:
            self._live.add(name, check)

    async def run(self) -> None:
        """Run until cancelled; then finish reconciliations in progress, for at most 30 s.

        Raises:
            OperatorError: A port is in use, the caches did not sync, the lease was lost, or a task
                ended unexpectedly.
        """
        try:
            async with self.metrics_server, self.health_server, asyncio.TaskGroup() as caches:
                self._start(caches, "event loop monitor", self._measure_lag())
                self._start(caches, "informers", self._informers.run())
                await self._informers.wait_synced(CACHE_SYNC_TIMEOUT)
                self._synced = True
                logger.info("The caches have synced")
                async with asyncio.TaskGroup() as group:
                    await self._run_work(group)
        except BaseExceptionGroup as errors:
            raise root_error(errors) from errors

    def _start(self, group: asyncio.TaskGroup, name: str, work: Awaitable[None]) -> None:
        self._tasks.append(group.create_task(forever(name, work), name=name))

    async def _run_work(self, group: asyncio.TaskGroup) -> None:
        for name, run in self._always.items():
            self._start(group, name, run())
        if self._elector is None:
            self._start(group, "workers", self._lead())
        else:
            self._start(group, "leader election", self._elector.run(self._lead))
        try:
            await until_cancelled()
        except asyncio.CancelledError:
            # Cancelled by the caller, or by a group in which a task has ended? Writes are safe
            # only in the first case: in the second, the lease may be lost.
            if not any(task.done() for task in self._tasks):
                await self._drain()
            raise

    async def _lead(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, run in self._while_leading.items():
                self._start(group, name, run())
            for controller in self._controllers:
                self._start(group, f"controller {controller.name}", _work(controller))
            await until_cancelled()

    async def _drain(self) -> None:
        logger.info("Finishing reconciliations in progress", extra={"grace": SHUTDOWN_GRACE})

        async def all_drained() -> None:
            async with asyncio.TaskGroup() as drains:
                for controller in self._controllers:
                    drains.create_task(controller.drain())

        try:
            # In a task that is being cancelled, asyncio.timeout does not work before Python 3.11.4.
            await asyncio.wait_for(all_drained(), SHUTDOWN_GRACE)
        except TimeoutError:
            logger.warning("Cancelling unfinished reconciliations", extra={"grace": SHUTDOWN_GRACE})

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_INTERVAL
            await asyncio.sleep(_LAG_INTERVAL)
            self._lag = max(0.0, loop.time() - due)
            self._metrics.event_loop_lag.set(self._lag)

    def _check_lag(self) -> str:
        late = self._lag > MAX_LOOP_LAG
        return f"the event loop was {self._lag:.1f} s late" if late else ""

    def _check_synced(self) -> str:
        return "" if self._synced else "not all caches have synced"


async def _work(controller: Controller) -> None:
    await controller.run()
    if controller.queue.shutting_down:
        await until_cancelled()  # drained; wait for the whole group to end
