from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcp_operator.core import logs
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object, key_of
from mcp_operator.core.metrics import RESULTS, RuntimeMetrics, new_registry
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.errors import ApiError, LeadershipLostError
from mcp_operator.runtime.notification import Event, Handler
from mcp_operator.runtime.predicates import spec_or_meta_changed
from mcp_operator.runtime.ratelimit import ExponentialBackoff
from mcp_operator.runtime.reconcile import Request, Result, RetryAfterError, TerminalError
from mcp_operator.runtime.sources import for_object, mapped

pytestmark = pytest.mark.looptime

A, B = Key("demo", "a"), Key("demo", "b")


class FakeSource:
    def __init__(self, *, synced: bool = True) -> None:
        self.synced = asyncio.Event()
        self.handlers: list[Handler] = []
        if synced:
            self.synced.set()

    def add_handler(self, handler: Handler, /) -> None:
        self.handlers.append(handler)

    def send(self, event: Event) -> None:
        for handler in self.handlers:
            handler(event)


class Script:
    """Plays the next step of its script for each request; the last step is played forever."""

    def __init__(self, *steps: Callable[[], Any]) -> None:
        self.steps = list(steps)
        self.metrics = RuntimeMetrics(new_registry())
        self.seen: list[tuple[float, Key]] = []

    async def reconcile(self, request: Request) -> Result | None:
        self.seen.append((asyncio.get_running_loop().time(), request))
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        outcome = step()
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        if isinstance(outcome, Exception):
            raise outcome
        assert outcome is None or isinstance(outcome, Result)
        return outcome

    @property
    def keys(self) -> list[Key]:
        return [key for _, key in self.seen]

    @property
    def times(self) -> list[float]:
        return [round(moment, 3) for moment, _ in self.seen]


def widget(name: str, *, version: int = 1, **metadata: Any) -> Object:
    return {
        "metadata": {
            "namespace": "demo",
            "name": name,
            "generation": 1,
            "resourceVersion": str(version),
            **metadata,
        }
    }


def build(reconciler: Script, **options: Any) -> Controller:
    options.setdefault("rate_limiter", ExponentialBackoff(base=1.0))
    return Controller("widget", "Widget", reconciler, metrics=reconciler.metrics, **options)


@asynccontextmanager
async def running(controller: Controller) -> AsyncIterator[None]:
    task = asyncio.create_task(controller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def metric(script: Script, name: str, **labels: str) -> float:
    value = script.metrics.registry.get_sample_value(name, labels)
    assert value is not None, f"{name}{labels} is not exposed"
    return value


def results(script: Script) -> dict[str, float]:
    """Return the results that were counted, after checking that both families agree."""
    ours = {
        each: metric(script, "mcp_operator_reconciliation_total", kind="Widget", result=each)
        for each in RESULTS
    }
    conventional = {
        each: metric(script, "controller_runtime_reconcile_total", controller="widget", result=each)
        for each in RESULTS
    }
    assert ours == conventional
    return {each: count for each, count in ours.items() if count}


async def test_a_key_enqueued_twice_is_reconciled_once_and_not_requeued_after_success() -> None:
    script = Script(lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        controller.enqueue(A)
        await asyncio.sleep(3600)

    assert script.keys == [A]
    assert results(script) == {"success": 1}


async def test_a_result_requeues_the_key_after_its_time() -> None:
    script = Script(lambda: Result(requeue_after=30), lambda: Result(requeue_after=5), lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(3600)

    assert script.times == [0, 30, 35]
    assert results(script) == {"requeue_after": 2, "success": 1}


async def test_a_failure_is_retried_with_a_backoff_that_a_success_resets() -> None:
    def fail() -> Exception:
        return OperatorError("No.")

    script = Script(fail, fail, fail, lambda: None, fail, lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(100)
        controller.enqueue(A)
        await asyncio.sleep(100)

    assert script.times == [0, 1, 3, 7, 100, 101]
    assert results(script) == {"error": 4, "success": 2}
    labels = {"kind": "Widget", "result": "error"}
    assert metric(script, "mcp_operator_reconciliation_errors_total", **labels) == 4


async def test_an_unexpected_error_is_logged_with_its_traceback_and_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = Script(lambda: ValueError("a bug"), lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(10)

    assert script.times == [0, 1]
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert record.exc_info is not None
    assert metric(script, "controller_runtime_reconcile_panics_total", controller="widget") == 1


async def test_a_terminal_error_is_not_retried_until_the_object_changes() -> None:
    script = Script(lambda: TerminalError("The image does not exist."), lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(3600)
        controller.enqueue(A)
        await asyncio.sleep(1)

    assert script.times == [0, 3600]
    assert results(script) == {"terminal": 1, "success": 1}
    name = "controller_runtime_terminal_reconcile_errors_total"
    assert metric(script, name, controller="widget") == 1


async def test_an_error_can_set_the_time_of_the_retry() -> None:
    busy = RetryAfterError("The pods are starting.", retry_after=20)
    script = Script(lambda: busy, lambda: busy, lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(100)

    assert script.times == [0, 20, 40]
    assert results(script) == {"error": 2, "success": 1}


async def test_the_retry_after_of_the_api_server_is_respected() -> None:
    throttled = ApiError(429, "TooManyRequests", "slow down", retry_after=7)
    script = Script(lambda: throttled, lambda: ApiError(500, "InternalError", "no"), lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(100)

    assert script.times == [0, 7, 9]


@pytest.mark.parametrize(
    "error", [ApiError(409, "Conflict", "modified"), LeadershipLostError("nothing is written")]
)
async def test_a_conflict_or_a_lost_leadership_is_retried_and_not_counted_as_an_error(
    caplog: pytest.LogCaptureFixture, error: OperatorError
) -> None:
    script = Script(lambda: error, lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(100)

    assert script.times == [0, 1]
    assert results(script) == {"requeue": 1, "success": 1}
    assert all(record.levelno < logging.WARNING for record in caplog.records)


async def test_a_reconciliation_that_times_out_is_cancelled_and_retried() -> None:
    script = Script(lambda: asyncio.sleep(3600), lambda: None)
    controller = build(script, timeout=120)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(200)

    assert script.times == [0, 121]
    assert results(script) == {"error": 1, "success": 1}
    name = "controller_runtime_reconcile_timeouts_total"
    assert metric(script, name, controller="widget") == 1


async def test_a_timeout_error_of_the_reconciler_is_not_counted_as_a_reconcile_timeout() -> None:
    script = Script(TimeoutError, lambda: None)
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(10)

    name = "controller_runtime_reconcile_timeouts_total"
    assert metric(script, name, controller="widget") == 0
    assert results(script) == {"error": 1, "success": 1}


async def test_keys_are_reconciled_concurrently_but_never_the_same_key_twice() -> None:
    script = Script(lambda: asyncio.sleep(10))
    controller = build(script, max_concurrent=3)  # two of one namespace

    async with running(controller):
        for key in (A, B, Key("demo", "c")):
            controller.enqueue(key)
        await asyncio.sleep(1)
        controller.enqueue(A)
        active = metric(script, "controller_runtime_active_workers", controller="widget")
        await asyncio.sleep(100)

    assert active == 2
    assert script.times == [0, 0, 10, 10]
    assert script.keys == [A, B, Key("demo", "c"), A]


async def test_no_key_is_reconciled_before_every_source_has_synced() -> None:
    script = Script(lambda: None)
    first, second = FakeSource(), FakeSource(synced=False)
    controller = build(script).watch(first, for_object()).watch(second, for_object())
    first.send(Event("Created", None, widget("a"), initial=True))

    async with running(controller):
        await asyncio.sleep(60)
        queued_before = len(controller.queue)
        second.synced.set()
        await asyncio.sleep(1)

    assert queued_before == 1  # the queue of a standby fills while it waits
    assert script.times == [60]


async def test_a_change_is_reconciled_before_the_objects_of_the_first_list() -> None:
    script = Script(lambda: None)
    source = FakeSource()
    controller = build(script, max_concurrent=1).watch(source, for_object())
    for name in ("a", "b", "c"):
        source.send(Event("Created", None, widget(name), initial=True))
    source.send(Event("Generic", None, widget("d"), initial=True))  # a resync
    source.send(Event("Updated", widget("c"), widget("c", version=2)))

    async with running(controller):
        await asyncio.sleep(1)

    assert [key.name for key in script.keys] == ["c", "a", "b", "d"]


async def test_an_event_that_a_predicate_filters_out_enqueues_nothing() -> None:
    controller = build(Script(lambda: None))
    source = FakeSource()
    controller.watch(source, for_object(), spec_or_meta_changed)

    source.send(Event("Updated", widget("a"), widget("a", version=2)))
    held_back = len(controller.queue)
    source.send(Event("Updated", widget("a"), widget("a", version=3, generation=2)))

    assert (held_back, len(controller.queue)) == (0, 1)


async def test_an_event_that_cannot_be_mapped_is_logged_and_others_are_enqueued(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def keys(obj: Object) -> list[Key]:
        if key_of(obj).name == "bad":
            raise KeyError("spec")
        return [key_of(obj)]

    script = Script(lambda: None)
    source = FakeSource()
    controller = build(script).watch(source, mapped(keys))

    source.send(Event("Created", None, widget("bad")))
    source.send(Event("Created", None, widget("good")))

    assert len(controller.queue) == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert metric(script, "controller_runtime_reconcile_panics_total", controller="widget") == 1


async def test_draining_finishes_reconciliations_in_progress_and_drops_queued_keys() -> None:
    script = Script(lambda: asyncio.sleep(10))
    controller = build(script, max_concurrent=1)
    run = asyncio.create_task(controller.run())
    controller.enqueue(A)
    controller.enqueue(B)
    await asyncio.sleep(1)

    await controller.drain()
    drained_at = asyncio.get_running_loop().time()
    await run

    assert drained_at == pytest.approx(10, abs=0.01)
    assert script.keys == [A]
    assert results(script) == {"success": 1}


async def test_a_cancelled_reconciliation_is_not_counted() -> None:
    script = Script(lambda: asyncio.sleep(3600))
    controller = build(script)

    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(1)

    assert results(script) == {}
    assert controller.queue.processing == 0


async def test_each_log_line_of_a_reconciliation_names_its_object() -> None:
    lines: list[dict[str, Any]] = []

    def note() -> None:
        lines.append(dict(logs._bound.get()))

    controller = build(Script(note))

    async with running(controller):
        controller.enqueue(A)
        controller.enqueue(B)
        await asyncio.sleep(1)

    first, second = lines
    assert first.pop("reconcile_id") != second.pop("reconcile_id")
    assert first == {"controller": "widget", "kind": "Widget", "namespace": "demo", "name": "a"}


def test_a_requeue_after_zero_seconds_raises_an_error() -> None:
    with pytest.raises(ValueError, match="more than 0 s, not 0 s"):
        Result(requeue_after=0)
