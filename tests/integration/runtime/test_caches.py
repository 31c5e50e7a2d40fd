"""Informer caches against a real API server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from mcp_operator.core.meta import Key, Object, Resource, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.notification import Event
from support.objects import CONFIG_MAPS
from support.waiting import HANG_SECONDS, hang_guard

WIDGETS = Resource("tests.example.com", "v1", "absents", "Absent")


def config_map(namespace: str, name: str, labels: dict[str, str] | None = None) -> Object:
    metadata = {"namespace": namespace, "name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": "1"}}


@asynccontextmanager
async def synced(informers: InformerSet) -> AsyncIterator[None]:
    task = asyncio.create_task(informers.run())
    try:
        await informers.wait_synced(HANG_SECONDS)
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(informer: Informer, condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, which is checked at each event of an informer."""
    changed = asyncio.Event()
    informer.add_handler(lambda _: changed.set())
    async with hang_guard():
        while not condition():
            changed.clear()
            await changed.wait()


async def test_a_streamed_list_and_a_paged_list_fill_equal_caches(
    client: Client, namespace: str
) -> None:
    for number in range(7):
        await client.create(CONFIG_MAPS, config_map(namespace, f"m{number}"))
    informers = InformerSet(client)
    streamed = informers.informer(CONFIG_MAPS, namespace=namespace)
    paged = informers.informer(CONFIG_MAPS, namespace=namespace, optional=True)
    paged.feeds[0].reflector._use_watch_list = False
    async with synced(informers):
        assert streamed.store.keys() == paged.store.keys()
        assert all(paged.store.get(key_of(obj)) == obj for obj in streamed.store)
        assert len(streamed.store) >= 7


async def test_pages_contain_the_same_objects_as_one_list(client: Client, namespace: str) -> None:
    for number in range(5):
        await client.create(CONFIG_MAPS, config_map(namespace, f"m{number}"))
    whole = [page async for page in client.list_pages(CONFIG_MAPS, namespace=namespace)]
    pages = [page async for page in client.list_pages(CONFIG_MAPS, namespace=namespace, limit=2)]
    assert len(pages) > 1
    assert [obj for page in pages for obj in page.items] == whole[0].items


async def test_a_cache_follows_changes_of_other_clients(
    client: Client, other_client: Client, namespace: str
) -> None:
    informers = InformerSet(client)
    informer = informers.informer(CONFIG_MAPS, namespace=namespace, label_selector="app=web")
    heard: list[str] = []
    informer.add_handler(lambda event: heard.append(event.type))
    web = {"app": "web"}
    key = Key(namespace, "a")
    async with synced(informers):
        await other_client.create(CONFIG_MAPS, config_map(namespace, "unseen"))
        await other_client.create(CONFIG_MAPS, config_map(namespace, "a", web))
        await until(informer, lambda: informer.store.get(key) is not None)
        await other_client.merge_patch(CONFIG_MAPS, key, {"data": {"x": "2"}})
        await until(informer, lambda: (informer.store.get(key) or {})["data"]["x"] == "2")
        await other_client.merge_patch(CONFIG_MAPS, key, {"metadata": {"labels": {"app": "db"}}})
        await until(informer, lambda: informer.store.get(key) is None)
    assert heard == ["Created", "Updated", "Deleted"]


async def test_a_client_reads_its_own_writes_and_gets_one_event_for_each(
    client: Client, namespace: str
) -> None:
    informers = InformerSet(client)
    informer = informers.informer(CONFIG_MAPS, namespace=namespace)
    key = Key(namespace, "a")
    async with synced(informers):
        heard: list[Event] = []

        def hear(event: Event) -> None:
            if key_of(event.object) == key:  # Kubernetes also creates a ConfigMap in the namespace
                heard.append(event)

        informer.add_handler(hear)
        await client.create(CONFIG_MAPS, config_map(namespace, "a"))
        assert informer.store.get(key) is not None
        for value in "234":
            written = await client.merge_patch(CONFIG_MAPS, key, {"data": {"x": value}})
            assert informer.store.get(key) == written
        await client.delete(CONFIG_MAPS, key)
        await until(informer, lambda: informer.store.get(key) is None)
    assert [event.type for event in heard] == ["Created", *["Updated"] * 3, "Deleted"]


async def test_an_informer_can_cache_only_metadata(client: Client, namespace: str) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace, "a", {"app": "web"}))
    informers = InformerSet(client)
    informer = informers.informer(CONFIG_MAPS, namespace=namespace, metadata_only=True)
    async with synced(informers):
        obj = informer.store.get(Key(namespace, "a"))
        assert obj is not None
        assert obj.keys() == {"apiVersion", "kind", "metadata"}
        assert obj["kind"] == "ConfigMap"
        written = await client.create(CONFIG_MAPS, config_map(namespace, "b"))
        mine = informer.store.get(Key(namespace, "b"))
        assert mine is not None
        assert mine["metadata"] == written["metadata"]
        assert "data" not in mine


async def test_the_cache_of_an_optional_kind_that_is_not_installed_is_empty(client: Client) -> None:
    informers = InformerSet(client)
    informer = informers.informer(WIDGETS, optional=True)
    async with synced(informers):
        assert len(informer.store) == 0
        assert not informer.served


async def test_a_delete_with_another_uid_or_resource_version_is_a_conflict(
    client: Client, namespace: str
) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace, "a"))
    key = Key(namespace, "a")
    with pytest.raises(ApiError) as caught:
        await client.delete(CONFIG_MAPS, key, uid=str(uuid.uuid4()))
    assert caught.value.is_conflict
    with pytest.raises(ApiError) as caught:
        await client.delete(CONFIG_MAPS, key, resource_version="1")
    assert caught.value.is_conflict
    await client.delete(
        CONFIG_MAPS, key, uid=(await client.get(CONFIG_MAPS, key))["metadata"]["uid"]
    )
    with pytest.raises(ApiError) as caught:
        await client.get(CONFIG_MAPS, key)
    assert caught.value.is_not_found
