from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.core.tasks import TaskDiedError, until_cancelled
from mcp_operator.runtime import manager as module
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.manager import Manager
from mcp_operator.runtime.probes import WebServer
from mcp_operator.runtime.reconcile import Request

LOCAL = "127.0.0.1"
KEY = Key("demo", "a")


@dataclass
class World:
    """Fakes of the parts that a manager runs; `log` has their starts and stops in order."""

    log: list[str] = field(default_factory=list)
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    cache_fails: asyncio.Event = field(default_factory=asyncio.Event)
    may_lead: asyncio.Event = field(default_factory=asyncio.Event)
    stuck: str = ""
    overdue: str = ""

    def ready(self) -> World:
        for each in (self.synced, self.hold, self.may_lead):
            each.set()
        return self

    @asynccontextmanager
    async def noted(self, name: str) -> AsyncIterator[None]:
        self.log.append(f"+{name}")
        try:
            yield
        finally:
            self.log.append(f"-{name}")


class Caches:
    def __init__(self, world: World) -> None:
        self.world = world

    def stuck(self) -> str:
        return self.world.stuck

    async def run(self) -> None:
        async with self.world.noted("caches"):
            await self.world.cache_fails.wait()
            raise OperatorError("Widgets cannot be watched.")

    async def wait_synced(self, timeout: float) -> None:  # noqa: ASYNC109  (as in the protocol)
        try:
            await asyncio.wait_for(self.world.synced.wait(), timeout)
        except TimeoutError:
            raise OperatorError(f"Widgets have not synced in {timeout:g} s.") from None


class Elector:
    def __init__(self, world: World) -> None:
        self.world = world

    def stuck(self) -> str:
        return self.world.overdue

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        async with self.world.noted("lease"):
            await self.world.may_lead.wait()
            leading = asyncio.ensure_future(lead())
            lost = asyncio.ensure_future(self.world.lost.wait())
            try:
                await asyncio.wait([leading, lost], return_when=asyncio.FIRST_COMPLETED)
                if leading.done():
                    leading.result()
                raise OperatorError("The lease was lost.")
            finally:
                leading.cancel()
                lost.cancel()
                await asyncio.wait([leading, lost])


class Work:
    def __init__(self, world: World) -> None:
        self.world = world

    async def reconcile(self, request: Request) -> None:
        async with self.world.noted(f"reconcile {request}"):
            await self.world.hold.wait()


def build(world: World, *, elector: bool = True) -> tuple[Manager, Controller]:
    metrics = RuntimeMetrics(CollectorRegistry())
    manager = Manager(
        informers=Caches(world),
        metrics=metrics,
        metrics_port=0,
        health_port=0,
        elector=Elector(world) if elector else None,
        host=LOCAL,
    )
    controller = Controller("widget", "Widget", Work(world), metrics=metrics)
    manager.add(controller)
    return manager, controller


@asynccontextmanager
async def running(manager: Manager) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(manager.run())
    try:
        listening = asyncio.ensure_future(manager.health_server.port())
        await asyncio.wait([task, listening], return_when=asyncio.FIRST_COMPLETED)
        assert listening.done(), task.exception()
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def get(server: WebServer, path: str, **headers: str) -> tuple[int, str]:
    url = f"http://{LOCAL}:{await server.port()}{path}"
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as response:
        return response.status, await response.text()


async def test_the_stages_start_in_order_and_stop_in_reverse() -> None:
    world = World()
    manager, controller = build(world)
    world.hold.set()
    controller.enqueue(KEY)

    async with running(manager):
        await settle()
        before_sync = list(world.log)
        world.synced.set()
        await settle()
        before_lease = list(world.log)
        world.may_lead.set()
        await settle()

    assert before_sync == ["+caches"]
    assert before_lease == ["+caches", "+lease"]
    assert world.log == [
        *("+caches", "+lease", "+reconcile demo/a", "-reconcile demo/a"),
        *("-lease", "-caches"),
    ]


@pytest.mark.looptime
async def test_a_cancelled_manager_keeps_the_lease_until_reconciliations_finish() -> None:
    world = World().ready()
    world.hold.clear()
    manager, controller = build(world)
    controller.enqueue(KEY)

    async with running(manager) as run:
        await settle()
        run.cancel()
        await asyncio.sleep(10)
        assert not run.done()
        world.hold.set()
        await asyncio.wait([run])

    assert run.cancelled()
    assert world.log[-3:] == ["-reconcile demo/a", "-lease", "-caches"]
    assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.1)


@pytest.mark.looptime
async def test_unfinished_reconciliations_are_cancelled_after_the_grace_period(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World().ready()
    world.hold.clear()
    manager, controller = build(world)
    controller.enqueue(KEY)

    async with running(manager) as run:
        await settle()
        run.cancel()
        await asyncio.wait([run])

    assert asyncio.get_running_loop().time() == pytest.approx(module.SHUTDOWN_GRACE, abs=0.1)
    assert "Cancelling unfinished reconciliations" in caplog.messages


@pytest.mark.looptime
async def test_a_lost_lease_cancels_reconciliations_at_once_and_ends_the_manager() -> None:
    world = World().ready()
    world.hold.clear()
    manager, controller = build(world)
    controller.enqueue(KEY)

    async with running(manager) as run:
        await settle()
        world.lost.set()
        await asyncio.wait([run])

    assert asyncio.get_running_loop().time() < 1
    with pytest.raises(TaskDiedError, match=r"leader election failed: The lease was lost\."):
        await run
    assert world.log[-3:] == ["-reconcile demo/a", "-lease", "-caches"]


async def test_an_error_of_the_informers_ends_the_manager() -> None:
    world = World().ready()
    manager, _ = build(world)

    async with running(manager) as run:
        await settle()
        world.cache_fails.set()
        await asyncio.wait([run])

    with pytest.raises(TaskDiedError, match=r"informers failed: Widgets cannot be watched\."):
        await run
    assert world.log == ["+caches", "+lease", "-caches", "-lease"]


@pytest.mark.parametrize("leader_only", [False, True])
async def test_a_runnable_that_ends_stops_the_manager_with_an_error_that_names_it(
    *, leader_only: bool
) -> None:
    world = World().ready()
    manager, _ = build(world)

    ending = asyncio.Event()

    async def recorder() -> None:
        await ending.wait()

    manager.add_runnable("event recorder", recorder, leader_only=leader_only)

    async with running(manager) as run:
        await settle()
        ending.set()
        await asyncio.wait([run])

    with pytest.raises(TaskDiedError) as caught:
        await run
    assert "event recorder ended, but must run" in str(caught.value)


@pytest.mark.looptime
async def test_a_sync_timeout_ends_the_manager() -> None:
    world = World()
    manager, _ = build(world)

    async with running(manager) as run:
        await asyncio.wait([run])

    with pytest.raises(OperatorError, match=r"Widgets have not synced in 120 s\."):
        await run


async def test_without_leader_election_the_manager_runs_without_a_lease() -> None:
    world = World().ready()
    manager, controller = build(world, elector=False)
    leading = asyncio.Event()

    async def task() -> None:
        leading.set()
        await until_cancelled()

    manager.add_runnable("sweeper", task, leader_only=True)
    controller.enqueue(KEY)

    async with running(manager):
        await leading.wait()
        await settle()

    assert world.log == ["+caches", "+reconcile demo/a", "-reconcile demo/a", "-caches"]


async def test_readyz_waits_for_the_caches_and_livez_does_not() -> None:
    world = World()
    manager, _ = build(world)

    async with running(manager):
        live = await get(manager.health_server, "/livez")
        unready = await get(manager.health_server, "/readyz")
        world.synced.set()
        await settle()
        ready = await get(manager.health_server, "/readyz")
        verbose = await get(manager.health_server, "/readyz?verbose")

    assert live == (200, "ok")
    assert unready[0] == 503
    assert "[-]caches-synced failed: not all caches have synced" in unready[1]
    assert ready == (200, "ok")
    checks = ("event-loop", "informers", "lease", "caches-synced")
    lines = "".join(f"[+]{check} ok\n" for check in checks)
    assert verbose == (200, f"{lines}readyz check passed\n")


async def test_livez_fails_for_a_stuck_informer_or_an_expired_lease() -> None:
    world = World().ready()
    manager, _ = build(world)

    async with running(manager):
        world.stuck = "stuck without activity: widgets"
        silent = await get(manager.health_server, "/livez")
        world.stuck, world.overdue = "", "the lease expired 3 s ago"
        overdue = await get(manager.health_server, "/livez")

    assert silent[0] == overdue[0] == 503
    assert "[-]informers failed: stuck without activity: widgets" in silent[1]
    assert "[-]lease failed: the lease expired 3 s ago" in overdue[1]


async def test_an_added_check_is_part_of_the_probes() -> None:
    world = World().ready()
    manager, _ = build(world)

    def refuse() -> str:
        return "the watch is silent"

    manager.add_check("watches", refuse, live=True)
    with pytest.raises(ValueError, match="there is already a check 'watches'"):
        manager.add_check("watches", refuse)

    async with running(manager):
        status, text = await get(manager.health_server, "/healthz")

    assert status == 503
    assert "[-]watches failed: the watch is silent" in text


async def test_metrics_are_served_in_the_requested_format() -> None:
    manager, _ = build(World().ready())

    async with running(manager):
        _, text = await get(manager.metrics_server, "/metrics")
        _, openmetrics = await get(
            manager.metrics_server, "/metrics", Accept="application/openmetrics-text"
        )

    assert 'controller_runtime_reconcile_total{controller="widget",result="error"} 0.0' in text
    assert openmetrics.endswith("# EOF\n")


async def test_an_error_about_a_port_in_use_names_the_port() -> None:
    taken, _ = build(World().ready())

    async with running(taken):
        port = await taken.health_server.port()
        late = Manager(
            informers=Caches(World()),
            metrics=RuntimeMetrics(CollectorRegistry()),
            metrics_port=0,
            health_port=port,
            host=LOCAL,
        )
        with pytest.raises(OperatorError, match=f"cannot listen on {LOCAL}:{port}: "):
            await late.run()


@pytest.mark.looptime
async def test_a_blocked_event_loop_raises_the_lag_metric_and_fails_livez(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World().ready()
    manager, _ = build(world)
    loop = asyncio.get_running_loop()

    async with running(manager):
        await asyncio.sleep(0.6)
        manager._check_lag()
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + (6 if real() >= 1 else 0))
        await asyncio.sleep(0.5)
        monkeypatch.undo()

        assert manager._metrics.registry.get_sample_value("event_loop_lag_seconds") == (
            pytest.approx(6, abs=0.1)
        )
        assert "6.0 s late" in manager._check_lag()
