from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.errors import ApiError, StaleCacheError
from mcp_operator.runtime.informer import RESYNC_PERIOD, InformerSet, SyncTimeoutError
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.wire import WatchEvent
from support.fake_client import FakeClient
from support.objects import CONFIG_MAPS, bookmark, config_map

SECRETS = Resource("", "v1", "secrets", "Secret")
LIST_END = WatchEvent("BOOKMARK", bookmark(10, ends_list=True))


@asynccontextmanager
async def running(informers: InformerSet) -> AsyncIterator[None]:
    task = asyncio.create_task(informers.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


def test_the_same_selection_shares_one_informer(client: FakeClient) -> None:
    informers = InformerSet(client)
    one = informers.informer(CONFIG_MAPS, label_selector="a=b")
    assert informers.informer(CONFIG_MAPS, label_selector="a=b") is one
    assert informers.informer(CONFIG_MAPS) is not one


@pytest.mark.looptime
async def test_an_informer_set_is_synced_when_its_lists_are_complete(client: FakeClient) -> None:
    informers = InformerSet(client)
    informer = informers.informer(CONFIG_MAPS)
    informer.add_index("name", lambda obj: [obj["metadata"]["name"]])
    client.watches.append([WatchEvent("ADDED", config_map("a", 5)), LIST_END, 1e6])
    async with running(informers):
        await informers.wait_synced(1)
    assert informer.store.by_index("name", "a") == [config_map("a", 5)]


async def test_a_resync_sends_no_event_for_an_object_deleted_in_the_meantime(
    client: FakeClient,
) -> None:
    informer = InformerSet(client).informer(CONFIG_MAPS)
    for name in "ab":
        informer.processor.upsert(config_map(name, 5))
    told = list[str]()

    def handle(event: Event) -> None:
        if event.type == "Generic":
            told.append(event.object["metadata"]["name"])
            informer.processor.remove(config_map("b", 9))

    informer.add_handler(handle)
    await informer.resync()
    assert told == ["a"]


@pytest.mark.looptime
async def test_an_idle_informer_is_stuck_but_one_that_keeps_retrying_is_not(
    client: FakeClient,
) -> None:
    informers = InformerSet(client)
    informers.informer(CONFIG_MAPS)
    unreachable = ApiError(0, "ConnectionRefused", "refused")
    client.watches.append([WatchEvent("ADDED", config_map("a", 5)), LIST_END])
    client.watches.extend([[unreachable]] * 400)
    assert informers.stuck() == ""
    async with running(informers):
        await asyncio.sleep(601)
        assert client.watches
        assert informers.stuck() == ""
        client.watches.clear()
        await asyncio.sleep(700)  # the watch neither sends anything nor ends
        assert informers.stuck() == "stuck without activity: configmaps"


@pytest.mark.looptime
async def test_a_sync_timeout_names_the_kind_and_the_error(
    client: FakeClient,
) -> None:
    informers = InformerSet(client)
    informers.informer(CONFIG_MAPS)
    client.watches.extend([[ApiError(403, "Forbidden", "cannot list configmaps")]] * 20)
    async with running(informers):
        with pytest.raises(SyncTimeoutError, match=r"configmaps \(cannot list configmaps"):
            await informers.wait_synced(30)


@pytest.mark.looptime
async def test_an_informer_added_to_a_running_set_is_started(client: FakeClient) -> None:
    informers = InformerSet(client)
    client.watches.append([LIST_END, 1e6])
    async with running(informers):
        await asyncio.sleep(1)
        informer = informers.informer(CONFIG_MAPS)
        await asyncio.wait_for(informer.synced.wait(), 1)


@pytest.mark.looptime
async def test_a_written_object_is_cached_when_the_write_returns(
    client: FakeClient,
) -> None:
    informers = InformerSet(client)
    maps, secrets = informers.informer(CONFIG_MAPS), informers.informer(SECRETS)
    written = await client.apply(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "demo"}})
    assert maps.store.get(Key("demo", "a")) is written
    assert len(secrets.store) == 0


@pytest.mark.looptime
async def test_every_object_is_resynced_about_every_ten_hours(client: FakeClient) -> None:
    informers = InformerSet(client)
    informer = informers.informer(CONFIG_MAPS)
    objects = [WatchEvent("ADDED", config_map(f"a{number}", 5)) for number in range(600)]
    client.watches.append([*objects, LIST_END, 1e6])
    heard: list[Event] = []
    async with running(informers):
        await informers.wait_synced(1)
        informer.add_handler(heard.append)
        heard.clear()
        await asyncio.sleep(RESYNC_PERIOD * 1.11)
    assert len(heard) == 600
    assert {event.type for event in heard} == {"Generic"}


@pytest.mark.looptime
async def test_an_error_in_a_handler_ends_the_informers(
    client: FakeClient,
) -> None:
    def broken(event: Event) -> None:
        raise LookupError(event.type)

    informers = InformerSet(client)
    informers.informer(CONFIG_MAPS).add_handler(broken)
    obj: Object = config_map("a", 5)
    client.watches.append([WatchEvent("ADDED", obj), LIST_END])
    with pytest.raises(ExceptionGroup):
        await informers.run()


@pytest.mark.looptime
async def test_a_rollback_of_one_kind_relists_all_kinds_and_blocks_writes_until_then(
    client: FakeClient,
) -> None:
    informers = InformerSet(client)
    maps, secrets = informers.informer(CONFIG_MAPS), informers.informer(SECRETS)
    client.watches.extend([[LIST_END, 5.0], [LIST_END, 1e6]])
    [guard] = client.guards
    async with running(informers):
        await informers.wait_synced(1)
        guard()
        client.newest = "9"
        end = WatchEvent("BOOKMARK", bookmark(9, ends_list=True))
        client.watches.extend([[5.0, end, 1e6]] * 2)
        await asyncio.sleep(5.5)
        assert maps.distrusted
        assert secrets.distrusted
        with pytest.raises(StaleCacheError, match="not writing before the cache of configmaps"):
            guard()
        await asyncio.sleep(6)
        guard()
    assert maps.processor.resource_version == secrets.processor.resource_version == 9


@pytest.mark.looptime
async def test_a_rollback_that_is_detected_twice_relists_once(
    client: FakeClient,
) -> None:
    informers = InformerSet(client)
    maps = informers.informer(CONFIG_MAPS)
    end = WatchEvent("BOOKMARK", bookmark(9, ends_list=True))
    client.watches.extend([[LIST_END, 1e6], [end, 1e6]])
    async with running(informers):
        await informers.wait_synced(1)
        informers.distrust()
        await asyncio.sleep(0)
        informers.distrust()
        await asyncio.sleep(1)
        assert maps.processor.resource_version == 9
        assert not maps.distrusted
    informers.distrust()
