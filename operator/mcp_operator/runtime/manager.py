"""Puts the parts of an operator together, starts them in order and stops them in reverse.

    http -> caches -> (the queues fill) -> lease -> workers

Each stage is a `TaskGroup` inside the one before. Whatever must run for ever and does not takes its
group down, and the groups inside it first: the process ends with an error that names the cause, and
its next start begins from a clean slate. That is the only error handling there is at this level.
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
"""Seconds until the caches must have synced; controller-runtime's CacheSyncTimeout."""

SHUTDOWN_GRACE: Final = 30.0
"""Seconds for reconciliations in progress; controller-runtime's GracefulShutdownTimeout."""

MAX_LOOP_LAG: Final = 5.0
"""Seconds that the event loop may be late before the process counts as hung."""

_LAG_INTERVAL: Final = 0.5
"""Seconds between two measurements of the lag."""


class Caches(Protocol):
    """What a manager needs of an `InformerSet`."""

    async def run(self) -> None:
        """Run all informers until cancelled."""

    async def wait_synced(self, timeout: float) -> None:  # noqa: ASYNC109  (it names what is late)
        """Return once all have synced; raise if that takes more than `timeout` seconds."""

    def stuck(self) -> str:
        """Say what a restart would mend; nothing if all is well."""


class Elector(Protocol):
    """What a manager needs of a leader election."""

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Acquire the lease, run `lead` while it is held, give it back; raise if it is lost."""

    def stuck(self) -> str:
        """Say what a restart would mend; nothing if all is well."""


Runnable = Callable[[], Awaitable[None]]
"""Starts a task that must not end; it is cancelled to end it."""


class Manager:
    """Runs caches, controllers and other tasks as one process.

    Args:
        informers: The caches that the controllers read.
        metrics: Where the process is measured; its registry is what `/metrics` shows.
        metrics_port: Of `/metrics`; 0 takes any free one, see `metrics_server.port`.
        health_port: Of `/livez`, `/readyz`, `/healthz`; 0 takes any free one.
        elector: Decides which of several replicas works; None if this is the only one.
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
        """Run the controller's workers while leading."""
        self._controllers.append(controller)

    def add_runnable(self, name: str, run: Runnable, *, leader_only: bool = False) -> None:
        """Run a task that must not end, from when the caches have synced.

        Args:
            name: What logs and errors call it.
            run: Starts the task.
            leader_only: Run it only while this process leads.
        """
        (self._while_leading if leader_only else self._always)[name] = run

    def add_check(self, name: str, check: Check, *, live: bool = False) -> None:
        """Let `/readyz` ask for a check, and with `live` `/livez` as well.

        A failing live check has the kubelet restart the process: use it for what a restart mends.
        """
        self._ready.add(name, check)
        if live:
            self._live.add(name, check)

    async def run(self) -> None:
        """Run until cancelled; then finish what is in progress, for 30 s at most.

        Raises:
            OperatorError: A port is taken, the caches did not sync, the lease was lost, or a task
                ended that must not.
        """
        try:
            async with self.metrics_server, self.health_server, asyncio.TaskGroup() as caches:
                self._start(caches, "event loop monitor", self._measure_lag())
                self._start(caches, "informers", self._informers.run())
                await self._informers.wait_synced(CACHE_SYNC_TIMEOUT)
                self._synced = True
                logger.info("The caches have synced")
                async with asyncio.TaskGroup() as stage:
                    await self._run_work(stage)
        except BaseExceptionGroup as group:
            raise root_error(group) from group

    def _start(self, stage: asyncio.TaskGroup, name: str, work: Awaitable[None]) -> None:
        self._tasks.append(stage.create_task(forever(name, work), name=name))

    async def _run_work(self, stage: asyncio.TaskGroup) -> None:
        for name, run in self._always.items():
            self._start(stage, name, run())
        if self._elector is None:
            self._start(stage, "workers", self._lead())
        else:
            self._start(stage, "leader election", self._elector.run(self._lead))
        try:
            await until_cancelled()
        except asyncio.CancelledError:
            # Cancelled by our caller, or by a stage of which a task has ended? Only in the first
            # case is it safe to go on writing: in the second the lease may be lost.
            if not any(task.done() for task in self._tasks):
                await self._drain()
            raise

    async def _lead(self) -> None:
        async with asyncio.TaskGroup() as stage:
            for name, run in self._while_leading.items():
                self._start(stage, name, run())
            for controller in self._controllers:
                self._start(stage, f"controller {controller.name}", _work(controller))
            await until_cancelled()

    async def _drain(self) -> None:
        logger.info("Finishing what is in progress", extra={"grace": SHUTDOWN_GRACE})

        async def all_drained() -> None:
            async with asyncio.TaskGroup() as drains:
                for controller in self._controllers:
                    drains.create_task(controller.drain())

        try:
            # In a task that is being cancelled, asyncio.timeout does not work before Python 3.11.4.
            await asyncio.wait_for(all_drained(), SHUTDOWN_GRACE)
        except TimeoutError:
            logger.warning("Some reconciliations are cut off", extra={"grace": SHUTDOWN_GRACE})

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
        return "" if self._synced else "the first lists have not all arrived"


async def _work(controller: Controller) -> None:
    await controller.run()
    if controller.queue.shutting_down:
        await until_cancelled()  # drained; the stage ends as a whole
