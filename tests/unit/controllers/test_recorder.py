from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mcp_operator.controllers.recorder import BURST, EVENTS, QUEUE_SIZE, EventRecorder
from mcp_operator.core.clock import SystemClock
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Object
from mcp_operator.runtime.errors import ApiError
from support.fake_client import FakeClient
from support.objects import config_map


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def recorder(client: FakeClient) -> EventRecorder:
    return EventRecorder(
        client, controller="example.com/operator", instance="pod-1", clock=SystemClock()
    )


@asynccontextmanager
async def running(recorder: EventRecorder) -> AsyncIterator[None]:
    task = asyncio.create_task(recorder.run())
    yield
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})


def say(recorder: EventRecorder, note: str = "All is well.", obj: Object | None = None) -> None:
    recorder.event(obj or config_map("a", 5), type="Normal", reason="Created", note=note)


@pytest.mark.looptime
async def test_an_event_names_the_object_and_the_reason(
    client: FakeClient, recorder: EventRecorder
) -> None:
    async with running(recorder):
        say(recorder)
    ((verb, event),) = client.writes
    assert verb == "create"
    assert event["regarding"] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "namespace": "demo",
        "name": "a",
        "uid": "uid-a",
    }
    assert event["note"] == "All is well."
    assert event["reportingController"] == "example.com/operator"
    assert event["metadata"]["namespace"] == "demo"


@pytest.mark.looptime
async def test_a_repeated_event_increases_the_count_of_the_first(
    client: FakeClient, recorder: EventRecorder
) -> None:
    async with running(recorder):
        for _ in range(3):
            say(recorder)
        say(recorder, "Something else.")
    assert [verb for verb, _ in client.writes] == ["create", "patch", "patch", "create"]
    assert [body["series"]["count"] for verb, body in client.writes if verb == "patch"] == [2, 3]


@pytest.mark.looptime
async def test_after_some_minutes_the_same_event_is_created_again(
    client: FakeClient, recorder: EventRecorder
) -> None:
    async with running(recorder):
        say(recorder)
        await asyncio.sleep(361)
        say(recorder)
    assert [verb for verb, _ in client.writes] == ["create", "create"]


@pytest.mark.looptime
async def test_an_event_that_no_longer_exists_is_created_again(
    client: FakeClient, recorder: EventRecorder
) -> None:
    async with running(recorder):
        say(recorder)
        await asyncio.sleep(1)
        client.objects.clear()
        say(recorder)
    assert [verb for verb, _ in client.writes] == ["create", "patch", "create"]


@pytest.mark.looptime
async def test_an_object_with_many_events_is_limited_to_one_every_few_minutes(
    client: FakeClient, recorder: EventRecorder
) -> None:
    async with running(recorder):
        for number in range(2 * BURST):
            say(recorder, f"Number {number}.")
        await asyncio.sleep(1)
        assert len(client.writes) == BURST
        say(recorder, "Of another object.", config_map("b", 5))
        await asyncio.sleep(301)
        say(recorder, "One more.")
        say(recorder, "And one too many.")
    notes = [body["note"] for _, body in client.writes[BURST:]]
    assert notes == ["Of another object.", "One more."]


@pytest.mark.looptime
async def test_events_are_dropped_when_the_queue_is_full(
    client: FakeClient, recorder: EventRecorder
) -> None:
    for number in range(QUEUE_SIZE + 5):
        say(recorder, obj=config_map(f"a{number}", 5))
    async with running(recorder):
        await asyncio.sleep(1)
    assert len(client.writes) == QUEUE_SIZE


@pytest.mark.looptime
async def test_an_event_that_cannot_be_written_does_not_stop_the_next(
    client: FakeClient, recorder: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client.failures.extend([ApiError(403, "Forbidden", "no"), None, OperatorError("not now")])
    async with running(recorder):
        say(recorder, "One.")
        say(recorder, "Two.")
        say(recorder, "Two.")
    assert [(resource, len(client.objects)) for resource, _ in client.objects] == [(EVENTS, 1)]
    assert caplog.text.count("Cannot write an event") == 2


@pytest.mark.looptime
async def test_long_notes_and_names_are_shortened_to_the_limits_of_the_api(
    client: FakeClient, recorder: EventRecorder
) -> None:
    obj = config_map("n" * 253, 5)
    async with running(recorder):
        say(recorder, "ä" * 2000, obj)
    event = client.writes[0][1]
    assert len(event["note"].encode()) <= 1024
    assert len(event["metadata"]["name"]) <= 253


@pytest.mark.looptime
async def test_events_of_cluster_scoped_objects_are_in_the_default_namespace(
    client: FakeClient, recorder: EventRecorder
) -> None:
    async with running(recorder):
        say(recorder, obj=config_map("a", 5, namespace=""))
    assert client.writes[0][1]["metadata"]["namespace"] == "default"


@pytest.mark.looptime
async def test_the_number_of_cached_series_is_limited(
    client: FakeClient, recorder: EventRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_operator.controllers.recorder.MAX_CACHED", 3)
    async with running(recorder):
        for number in range(10):
            say(recorder, obj=config_map(f"a{number}", 5))
    assert len(recorder._series) == 3
    assert len(recorder._buckets) == 3
