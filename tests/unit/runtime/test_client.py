from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import LOST, MALFORMED, REFUSED, ApiError
from mcp_operator.runtime.kubernetes import Configuration
from mcp_operator.runtime.wire import WatchEvent
from support.objects import CONFIG_MAPS, bookmark, config_map
from support.scripted_api import ScriptedApi, configuration, failure, scripted_client
from support.waiting import eventually

A = Key("demo", "a")


@pytest.fixture
async def client(api: ScriptedApi, metrics: RuntimeMetrics) -> AsyncIterator[Client]:
    async with scripted_client(api, metrics) as made:
        yield made


async def events_of(client: Client, **arguments: str) -> list[WatchEvent]:
    async with aclosing(client.watch(CONFIG_MAPS, **arguments)) as stream:  # type: ignore[arg-type]
        return [event async for event in stream]


async def test_managed_fields_and_the_last_applied_annotation_are_dropped_from_an_object(
    api: ScriptedApi, client: Client
) -> None:
    raw = config_map("a", 5)
    raw["metadata"] |= {
        "managedFields": [{}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "x"},
    }
    api.answer(raw)
    obj = await client.get(CONFIG_MAPS, A)
    assert obj["metadata"].keys() == {"name", "namespace", "uid", "resourceVersion", "annotations"}
    assert obj["metadata"]["annotations"] == {"mine": "x"}
    sent = api.received[0]
    assert (sent.method, sent.path) == ("GET", "/api/v1/namespaces/demo/configmaps/a")
    assert sent.headers["Authorization"] == "Bearer secret"
    assert sent.headers["User-Agent"] == "tests/1"


async def test_a_list_is_read_in_pages_without_a_resource_version(
    api: ScriptedApi, client: Client
) -> None:
    item = {"metadata": {"name": "a", "namespace": "demo"}}
    api.answer({"metadata": {"resourceVersion": "9", "continue": "next"}, "items": [item]})
    api.answer({"metadata": {"resourceVersion": "9"}, "items": None})
    pages = [page async for page in client.list_pages(CONFIG_MAPS, label_selector="x=y", limit=1)]
    assert [len(page.items) for page in pages] == [1, 0]
    assert pages[0].items[0]["kind"] == "ConfigMap"
    assert pages[1].resource_version == "9"
    first, second = (request.query for request in api.received)
    assert first == {"labelSelector": "x=y", "limit": "1"}
    assert second == {"labelSelector": "x=y", "limit": "1", "continue": "next"}


async def test_a_list_can_request_only_metadata(api: ScriptedApi, client: Client) -> None:
    api.answer({"metadata": {"resourceVersion": "9"}, "items": []})
    _ = [page async for page in client.list_pages(CONFIG_MAPS, metadata_only=True)]
    assert "as=PartialObjectMetadataList" in api.received[0].headers["Accept"]


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"metadata":{},"items":[]}'])
async def test_a_response_that_is_not_a_list_raises_a_malformed_error(
    api: ScriptedApi, client: Client, body: str
) -> None:
    api.answer(body)
    with pytest.raises(ApiError) as caught:
        _ = [page async for page in client.list_pages(CONFIG_MAPS)]
    assert caught.value.reason == MALFORMED


async def test_a_watch_yields_events_and_bookmarks(api: ScriptedApi, client: Client) -> None:
    api.stream(
        {"type": "ADDED", "object": config_map("a", 5)},
        {"type": "BOOKMARK", "object": bookmark(7)},
    )
    events = await events_of(client, resource_version="4", namespace="demo")
    assert events == [
        WatchEvent("ADDED", config_map("a", 5)),
        WatchEvent("BOOKMARK", bookmark(7)),
    ]
    query = api.received[0].query
    assert query["resourceVersion"] == "4"
    assert query["allowWatchBookmarks"] == "true"
    assert 300 <= int(query["timeoutSeconds"]) <= 600


async def test_a_watch_can_request_the_initial_events(api: ScriptedApi, client: Client) -> None:
    api.stream()
    async with aclosing(client.watch(CONFIG_MAPS, send_initial_events=True)) as stream:
        assert [event async for event in stream] == []
    query = api.received[0].query
    assert query["sendInitialEvents"] == "true"
    assert query["resourceVersionMatch"] == "NotOlderThan"


async def test_a_watch_that_breaks_within_a_line_ends_without_an_error(
    api: ScriptedApi, client: Client
) -> None:
    api.stream({"type": "ADDED", "object": config_map("a", 5)}, b'{"type":"ADD', cut=True)
    assert len(await events_of(client)) == 1


async def test_an_error_event_of_a_watch_is_raised(api: ScriptedApi, client: Client) -> None:
    api.stream({"type": "ERROR", "object": failure(410, "Expired", "too old")})
    with pytest.raises(ApiError) as caught:
        await events_of(client)
    assert caught.value.is_expired


@pytest.mark.parametrize(
    "line",
    [
        b"404 page not found\n",
        b'{"type":"NEWS","object":{}}\n',
        b'{"type":"ADDED","object":{"metadata":{}}}\n',
        b'"text"\n',
    ],
)
async def test_a_line_that_is_not_an_event_raises_a_malformed_error(
    api: ScriptedApi, client: Client, line: bytes
) -> None:
    api.stream(line)
    with pytest.raises(ApiError) as caught:
        await events_of(client)
    assert caught.value.reason == MALFORMED


async def test_a_line_over_the_limit_raises_an_error(
    api: ScriptedApi, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_operator.runtime.client.LINE_LIMIT", 10)
    api.stream(b"x" * 11)
    with pytest.raises(ApiError, match="longer than 10 bytes"):
        await events_of(client)


async def test_a_forbidden_watch_raises_an_error_without_a_retry(
    api: ScriptedApi, client: Client
) -> None:
    api.fail(403, "Forbidden", "cannot watch")
    with pytest.raises(ApiError, match="cannot watch") as caught:
        await events_of(client)
    assert caught.value.is_forbidden
    assert len(api.received) == 1


async def test_writes_send_the_field_manager_and_notify_observers(
    api: ScriptedApi, client: Client
) -> None:
    told: list[tuple[Resource, Object]] = []
    client.observe_writes(lambda resource, obj: told.append((resource, obj)))
    desired = config_map("a")
    for version in (1, 2, 3, 4):
        api.answer(config_map("a", version))
    results = [
        await client.create(CONFIG_MAPS, desired),
        await client.apply(CONFIG_MAPS, desired),
        await client.merge_patch(CONFIG_MAPS, A, {"data": {"x": "y"}}, subresource="status"),
        await client.replace(CONFIG_MAPS, desired),
    ]
    assert [obj for _, obj in told] == results
    create, apply, patch, replaced = api.received
    assert create.path == "/api/v1/namespaces/demo/configmaps"
    assert apply.query == {"fieldManager": "tests", "force": "true"}
    assert apply.headers["Content-Type"] == "application/apply-patch+yaml"
    assert apply.body == desired
    assert patch.path.endswith("/configmaps/a/status")
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert replaced.method == "PUT"


async def test_fields_can_be_applied_for_another_field_manager(
    api: ScriptedApi, client: Client
) -> None:
    api.answer(config_map("a", 1))
    await client.apply(CONFIG_MAPS, config_map("a"), field_manager="other")
    assert api.received[0].query == {"fieldManager": "other", "force": "true"}


async def test_observers_do_not_get_an_answer_of_another_kind(
    api: ScriptedApi, client: Client
) -> None:
    told: list[Object] = []
    client.observe_writes(lambda _, obj: told.append(obj))
    api.answer({"kind": "Scale", "metadata": {}})
    await client.merge_patch(CONFIG_MAPS, A, {}, subresource="scale")
    assert told == []


async def test_a_delete_sends_only_the_given_preconditions(
    api: ScriptedApi, client: Client
) -> None:
    api.answer({"kind": "Status"})
    await client.delete(CONFIG_MAPS, A, uid="u")
    assert api.received[0].body["preconditions"] == {"uid": "u"}


async def test_a_failed_read_is_retried_and_a_failed_write_is_not(
    api: ScriptedApi, client: Client
) -> None:
    api.fail(500, "InternalError")
    api.answer(config_map("a", 5))
    assert (await client.get(CONFIG_MAPS, A))["metadata"]["name"] == "a"
    api.fail(500, "InternalError")
    with pytest.raises(ApiError):
        await client.apply(CONFIG_MAPS, config_map("a"))
    assert len(api.received) == 3


async def test_a_write_that_gets_429_is_retried(
    api: ScriptedApi, client: Client, metrics: RuntimeMetrics
) -> None:
    api.answer("busy", status=429)
    api.answer(config_map("a", 5))
    await client.apply(CONFIG_MAPS, config_map("a"))
    labels = {"code": "429", "verb": "PATCH", "host": api.url.removeprefix("http://")}
    retries = metrics.registry.get_sample_value("rest_client_request_retries_total", labels)
    assert retries == 1


async def test_requests_are_counted_by_status_code(
    api: ScriptedApi, client: Client, metrics: RuntimeMetrics
) -> None:
    api.fail(404, "NotFound")
    with pytest.raises(ApiError):
        await client.get(CONFIG_MAPS, A)
    labels = {"code": "404", "method": "GET", "host": api.url.removeprefix("http://")}
    assert metrics.registry.get_sample_value("rest_client_requests_total", labels) == 1


async def test_a_request_without_an_answer_fails_after_its_timeout(
    api: ScriptedApi, client: Client
) -> None:
    api.hang()
    with pytest.raises(ApiError, match="did not respond in time") as caught:
        await client.request("POST", "/slow", timeout=1)
    assert caught.value.reason == LOST


async def test_a_refused_connection_has_a_reason_of_its_own(
    api: ScriptedApi, metrics: RuntimeMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_operator.runtime.retry._FIRST_DELAY", 0.001)
    async with scripted_client(api, metrics) as client:
        await api.stop()
        with pytest.raises(ApiError) as caught:
            await client.create(CONFIG_MAPS, config_map("a"))
    assert caught.value.reason == REFUSED


async def test_concurrent_requests_are_limited(api: ScriptedApi, client: Client) -> None:
    for _ in range(3):
        api.hang()
    tasks = [asyncio.create_task(client.get(CONFIG_MAPS, A)) for _ in range(3)]

    async def received() -> int:
        return len(api.received)

    await eventually(received, 2)
    await asyncio.wait(
        tasks, timeout=0.2
    )  # time in which a third request would arrive without the limit
    assert await received() == 2
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_in_a_pod_the_client_uses_the_service_account(
    metrics: RuntimeMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = configuration("http://127.0.0.1:1")

    async def load_service_account() -> Configuration:
        return made

    monkeypatch.setattr("mcp_operator.runtime.client.in_cluster", lambda: True)
    monkeypatch.setattr("mcp_operator.runtime.client.load_service_account", load_service_account)
    client = await Client.connect(field_manager="t", user_agent="t", metrics=metrics)
    await client.close()
    assert client._transport._configuration is made
