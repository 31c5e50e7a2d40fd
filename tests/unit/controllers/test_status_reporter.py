"""Statuses are written only when they change, with Events for transitions."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from mcp_operator.api.conditions import Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPTOOLS
from mcp_operator.controllers.recorder import EventRecorder
from mcp_operator.controllers.status_reporter import StatusReporter
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.status import StatusWriter
from support.cached_cluster import CachedCluster

READY = Condition(ConditionType.READY, status=True, reason=Reason.READY)
UNREADY = Condition(ConditionType.READY, status=False, reason=Reason.INVALID)
UNSELECTED = Condition(ConditionType.READY, status=False, reason=Reason.NOT_SELECTED)
RESTING = Condition(ConditionType.READY, status=True, reason=Reason.SCALED_TO_ZERO)
WAITING = Condition(ConditionType.READY, status=False, reason=Reason.PROPAGATING)
HEALTHY = Condition(ConditionType.DEGRADED, status=False, reason=Reason.HEALTHY)
DEGRADED = Condition(ConditionType.DEGRADED, status=True, reason=Reason.OBJECTS_REJECTED)
ACCEPTED = Condition(ConditionType.ACCEPTED, status=True, reason=Reason.ACCEPTED)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Bench:
    """A tool in a cluster, a clock that the test sets, and a status reporter."""

    def __init__(self) -> None:
        self.cluster = CachedCluster()
        self.cluster.tool("search")
        self.time = NOON
        self.recorder = EventRecorder(
            self.cluster, controller="mcp-operator.dev/operator", instance="test", clock=self
        )
        self.reporter = StatusReporter(StatusWriter(self.cluster), self.recorder, self)

    def now(self) -> datetime:
        return self.time

    @property
    def raw(self) -> Object:
        found = self.cluster.cache.catalog_objects["MCPTool"].store.get(Key("demo", "search"))
        assert found is not None
        return found

    async def write(self, *conditions: Condition, stamp: str = "", **fields: object) -> bool:
        self.time += timedelta(seconds=1)
        return await self.reporter.write(MCPTOOLS, self.raw, fields, conditions, stamp=stamp)

    async def told(self) -> list[tuple[str, str, str]]:
        """Write the Events, and return the type, reason and note of the new ones."""
        before = len(self.cluster.writes)
        writing = asyncio.create_task(self.recorder.run())
        await asyncio.sleep(1)
        writing.cancel()
        made = [obj for verb, obj in self.cluster.writes[before:] if verb == "create"]
        return [(event["type"], event["reason"], event["note"]) for event in made]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_status_is_written_with_its_fields_and_conditions(bench: Bench) -> None:
    assert await bench.write(READY, toolCount=1, resolvedEndpoint=None)
    status = bench.raw["status"]
    assert status["toolCount"] == 1
    assert "resolvedEndpoint" not in status
    assert status["observedGeneration"] == 1
    [condition] = status["conditions"]
    assert (condition["type"], condition["status"]) == ("Ready", "True")


async def test_an_unchanged_status_is_not_written(bench: Bench) -> None:
    await bench.write(READY, toolCount=1)
    assert not await bench.write(READY, toolCount=1)
    assert [verb for verb, _ in bench.cluster.writes] == ["apply"]


async def test_a_new_generation_is_written(bench: Bench) -> None:
    await bench.write(READY)
    bench.cluster.tool("search", description="new")
    assert await bench.write(READY)
    assert bench.raw["status"]["observedGeneration"] == 2


async def test_a_timestamp_changes_only_when_another_field_changes(bench: Bench) -> None:
    await bench.write(READY, stamp="lastSyncTime", toolCount=1)
    assert bench.raw["status"]["lastSyncTime"] == "2026-01-01T12:00:01Z"
    assert not await bench.write(READY, stamp="lastSyncTime", toolCount=1)
    assert await bench.write(READY, stamp="lastSyncTime", toolCount=2)
    assert bench.raw["status"]["lastSyncTime"] == "2026-01-01T12:00:03Z"


async def test_an_empty_list_is_not_a_change_when_the_api_server_omitted_it(bench: Bench) -> None:
    await bench.write(READY, stamp="lastSyncTime", servers=None)
    assert not await bench.write(READY, stamp="lastSyncTime", servers=[])


async def test_the_time_is_in_whole_seconds_of_utc(bench: Bench) -> None:
    assert bench.reporter.now() == "2026-01-01T12:00:00Z"


@pytest.mark.looptime
async def test_a_transition_of_ready_emits_an_event(bench: Bench) -> None:
    await bench.write(UNREADY, ACCEPTED)
    assert await bench.told() == [("Warning", "Invalid", Reason.INVALID.explanation)]
    await bench.write(READY, ACCEPTED)
    assert await bench.told() == [("Normal", "Ready", Reason.READY.explanation)]


@pytest.mark.looptime
async def test_a_change_without_a_transition_emits_no_event(bench: Bench) -> None:
    await bench.write(READY, toolCount=1)
    await bench.told()
    await bench.write(READY, toolCount=2)
    assert await bench.told() == []


@pytest.mark.looptime
async def test_the_initial_reasons_of_a_new_object_emit_no_event(bench: Bench) -> None:
    await bench.write(WAITING, HEALTHY)
    assert await bench.told() == []
    await bench.write(READY, HEALTHY)
    await bench.told()
    await bench.write(WAITING, HEALTHY)
    assert [reason for _, reason, _ in await bench.told()] == ["Propagating"]


@pytest.mark.looptime
async def test_the_event_for_an_object_that_is_not_selected_is_normal(bench: Bench) -> None:
    await bench.write(UNSELECTED)
    assert [kind for kind, *_ in await bench.told()] == ["Normal"]


@pytest.mark.looptime
@pytest.mark.parametrize("before", [UNREADY, RESTING], ids=["a problem", "nothing to serve"])
async def test_propagating_emits_no_event_and_ready_emits_a_normal_one(
    bench: Bench, before: Condition
) -> None:
    await bench.write(before)
    await bench.told()
    await bench.write(WAITING)
    assert await bench.told() == []
    await bench.write(READY)
    assert await bench.told() == [("Normal", "Ready", Reason.READY.explanation)]


@pytest.mark.looptime
async def test_degraded_emits_a_warning_when_true_and_a_normal_event_when_false(
    bench: Bench,
) -> None:
    await bench.write(DEGRADED)
    assert [kind for kind, *_ in await bench.told()] == ["Warning"]
    await bench.write(HEALTHY)
    assert [kind for kind, *_ in await bench.told()] == ["Normal"]


@pytest.mark.looptime
async def test_conditions_other_than_ready_and_degraded_emit_no_event(bench: Bench) -> None:
    await bench.write(ACCEPTED)
    assert await bench.told() == []


@pytest.mark.looptime
async def test_a_status_that_was_not_written_emits_no_event(bench: Bench) -> None:
    old = bench.raw
    bench.cluster.remove("MCPTool", "search")
    await bench.reporter.write(MCPTOOLS, old, {}, [UNREADY])
    assert await bench.told() == []


async def test_each_transition_is_one_line_of_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mcp_operator")
    await bench.write(UNREADY, ACCEPTED)
    await bench.write(UNREADY, ACCEPTED, toolCount=1)
    await bench.write(READY, ACCEPTED)
    named = ("condition", "status", "reason", "detail")
    assert [[getattr(record, name) for name in named] for record in caplog.records] == [
        ["Ready", "False", "Invalid", Reason.INVALID.explanation],
        ["Ready", "True", "Ready", Reason.READY.explanation],
    ]
    assert set(caplog.messages) == {"A condition changed"}
