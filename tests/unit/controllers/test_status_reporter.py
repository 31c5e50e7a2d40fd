"""How statuses are written: once, only when they say something new, with Events for the news."""

from __future__ import annotations

import asyncio
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
    """A tool in a cluster, a clock that the test sets, and everything that writes statuses."""

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
        """Write out the Events; return the type, reason and note of those made since."""
        before = len(self.cluster.writes)
        writing = asyncio.create_task(self.recorder.run())
        await asyncio.sleep(1)
        writing.cancel()
        made = [obj for verb, obj in self.cluster.writes[before:] if verb == "create"]
        return [(event["type"], event["reason"], event["note"]) for event in made]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_status_is_written_whole(bench: Bench) -> None:
    assert await bench.write(READY, toolCount=1, resolvedEndpoint=None)
    status = bench.raw["status"]
    assert status["toolCount"] == 1
    assert "resolvedEndpoint" not in status
    assert status["observedGeneration"] == 1
    [condition] = status["conditions"]
    assert (condition["type"], condition["status"]) == ("Ready", "True")


async def test_a_status_that_says_nothing_new_is_not_written(bench: Bench) -> None:
    await bench.write(READY, toolCount=1)
    assert not await bench.write(READY, toolCount=1)
    assert [verb for verb, _ in bench.cluster.writes] == ["apply"]


async def test_a_new_generation_is_written(bench: Bench) -> None:
    await bench.write(READY)
    bench.cluster.tool("search", description="new")
    assert await bench.write(READY)
    assert bench.raw["status"]["observedGeneration"] == 2


async def test_a_stamp_moves_when_anything_else_does_and_only_then(bench: Bench) -> None:
    await bench.write(READY, stamp="lastSyncTime", toolCount=1)
    assert bench.raw["status"]["lastSyncTime"] == "2026-01-01T12:00:01Z"
    assert not await bench.write(READY, stamp="lastSyncTime", toolCount=1)
    assert await bench.write(READY, stamp="lastSyncTime", toolCount=2)
    assert bench.raw["status"]["lastSyncTime"] == "2026-01-01T12:00:03Z"


async def test_an_empty_list_is_not_written_where_the_server_left_it_out(bench: Bench) -> None:
    await bench.write(READY, stamp="lastSyncTime", servers=None)
    assert not await bench.write(READY, stamp="lastSyncTime", servers=[])


async def test_the_time_is_told_in_whole_seconds_of_utc(bench: Bench) -> None:
    assert bench.reporter.now() == "2026-01-01T12:00:00Z"


@pytest.mark.looptime
async def test_a_transition_of_ready_is_told(bench: Bench) -> None:
    await bench.write(UNREADY, ACCEPTED)
    assert await bench.told() == [("Warning", "Invalid", Reason.INVALID.explanation)]
    await bench.write(READY, ACCEPTED)
    assert await bench.told() == [("Normal", "Ready", Reason.READY.explanation)]


@pytest.mark.looptime
async def test_what_is_no_transition_is_not_told(bench: Bench) -> None:
    await bench.write(READY, toolCount=1)
    await bench.told()
    await bench.write(READY, toolCount=2)
    assert await bench.told() == []


@pytest.mark.looptime
async def test_the_reasons_that_every_new_object_has_at_first_are_no_events(bench: Bench) -> None:
    await bench.write(WAITING, HEALTHY)
    assert await bench.told() == []
    await bench.write(READY, HEALTHY)
    await bench.told()
    await bench.write(WAITING, HEALTHY)
    assert [reason for _, reason, _ in await bench.told()] == ["Propagating"]


@pytest.mark.looptime
async def test_nobody_is_warned_of_a_tool_that_comes_before_its_server(bench: Bench) -> None:
    await bench.write(UNSELECTED)
    assert [kind for kind, *_ in await bench.told()] == ["Normal"]


@pytest.mark.looptime
@pytest.mark.parametrize("before", [UNREADY, RESTING], ids=["a problem", "nothing to serve"])
async def test_on_the_way_to_serving_there_is_no_warning_and_then_an_event(
    bench: Bench, before: Condition
) -> None:
    await bench.write(before)
    await bench.told()
    await bench.write(WAITING)
    assert await bench.told() == []
    await bench.write(READY)
    assert await bench.told() == [("Normal", "Ready", Reason.READY.explanation)]


@pytest.mark.looptime
async def test_degraded_is_a_warning_when_true_and_normal_when_false(bench: Bench) -> None:
    await bench.write(DEGRADED)
    assert [kind for kind, *_ in await bench.told()] == ["Warning"]
    await bench.write(HEALTHY)
    assert [kind for kind, *_ in await bench.told()] == ["Normal"]


@pytest.mark.looptime
async def test_causes_are_not_told_beside_what_they_cause(bench: Bench) -> None:
    await bench.write(ACCEPTED)
    assert await bench.told() == []


@pytest.mark.looptime
async def test_nothing_is_told_of_a_status_that_was_not_written(bench: Bench) -> None:
    old = bench.raw
    bench.cluster.remove("MCPTool", "search")
    await bench.reporter.write(MCPTOOLS, old, {}, [UNREADY])
    assert await bench.told() == []
