"""Caches of some namespaces, which are selected by name or by label."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.informer import Informer, InformerSet, SyncTimeoutError
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.scope import NAMESPACES, Scope
from mcp_operator.runtime.wire import WatchEvent
from support.fake_client import FakeClient
from support.objects import CONFIG_MAPS, bookmark, config_map

SECRETS = Resource("", "v1", "secrets", "Secret")
LIST_END = WatchEvent("BOOKMARK", bookmark(10, ends_list=True))
FORBIDDEN = ApiError(403, "Forbidden", "cannot watch")

Feed = asyncio.Queue[WatchEvent | ApiError]


class ScriptedClient(FakeClient):
    """Sends the events that a test puts into the feed of a resource and namespace."""

    def __init__(self) -> None:
        super().__init__()
        self._feeds: dict[tuple[str, str], Feed] = {}

    def feed(self, resource: Resource, namespace: str = "") -> Feed:
        return self._feeds.setdefault((resource.plural, namespace), asyncio.Queue())

    async def watch(self, resource: Resource, **arguments: Any) -> AsyncIterator[WatchEvent]:  # type: ignore[override]
        feed = self.feed(resource, arguments["namespace"])
        while True:
            step = await feed.get()
            if isinstance(step, ApiError):
                raise step
            yield step

    def send(self, resource: Resource, namespace: str, *steps: WatchEvent | ApiError) -> None:
        for step in steps:
            self.feed(resource, namespace).put_nowait(step)


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@asynccontextmanager
async def running(informers: InformerSet) -> AsyncIterator[None]:
    task = asyncio.create_task(informers.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def in_namespace(namespace: str, name: str, version: int = 5) -> Object:
    obj = config_map(name, version)
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def added(namespace: str, name: str, version: int = 5) -> WatchEvent:
    return WatchEvent("ADDED", in_namespace(namespace, name, version))


def labeled(
    name: str,
    version: int,
    *,
    kind: Literal["ADDED", "MODIFIED", "DELETED"] = "MODIFIED",
    **labels: str,
) -> WatchEvent:
    metadata = {"name": name, "resourceVersion": str(version), "uid": name, "labels": labels}
    return WatchEvent(kind, {"kind": "Namespace", "metadata": metadata})


def names(informer: Informer) -> set[str]:
    return {
        str(Key(obj["metadata"]["namespace"], obj["metadata"]["name"])) for obj in informer.store
    }


class Told(list[str]):
    """The events that a handler got, as `Created a/x`."""

    def __call__(self, event: Event) -> None:
        metadata = event.object["metadata"]
        self.append(f"{event.type} {metadata['namespace']}/{metadata['name']}")


def test_a_scope_with_names_and_labels_raises_an_error() -> None:
    with pytest.raises(ValueError, match="by name or by label"):
        Scope(("a",), "team=shop")


@pytest.mark.looptime
async def test_by_name_each_namespace_has_its_own_watch_and_all_share_one_store(
    client: ScriptedClient,
) -> None:
    informers = InformerSet(client, Scope(("a", "b")))
    informer, told = informers.informer(CONFIG_MAPS), Told()
    informer.add_handler(told)
    client.send(CONFIG_MAPS, "a", added("a", "x"), LIST_END)
    client.send(CONFIG_MAPS, "b", added("b", "x"), LIST_END)
    async with running(informers):
        await informers.wait_synced(1)
        assert names(informer) == {"a/x", "b/x"}
        client.send(CONFIG_MAPS, "a", WatchEvent("DELETED", in_namespace("a", "x", 11)))
        await turns()
        assert names(informer) == {"b/x"}
    assert told == ["Created a/x", "Created b/x", "Deleted a/x"]


@pytest.mark.looptime
async def test_by_name_an_informer_is_synced_when_all_its_namespaces_are(
    client: ScriptedClient,
) -> None:
    informers = InformerSet(client, Scope(("a", "b")))
    informer = informers.informer(CONFIG_MAPS)
    client.send(CONFIG_MAPS, "a", LIST_END)
    async with running(informers):
        await turns()
        assert not informer.synced.is_set()
        with pytest.raises(SyncTimeoutError, match="configmaps"):
            await informers.wait_synced(5)
        client.send(CONFIG_MAPS, "b", LIST_END)
        await informers.wait_synced(5)


@pytest.mark.looptime
async def test_by_name_a_relist_does_not_remove_objects_of_other_namespaces(
    client: ScriptedClient,
) -> None:
    informers = InformerSet(client, Scope(("a", "b")))
    informer = informers.informer(CONFIG_MAPS)
    client.send(CONFIG_MAPS, "a", added("a", "x"), LIST_END)
    client.send(CONFIG_MAPS, "b", added("b", "x"), LIST_END)
    expired = ApiError(410, "Expired", "too old")
    again = WatchEvent("BOOKMARK", bookmark(20, ends_list=True))
    async with running(informers):
        await informers.wait_synced(1)
        client.send(CONFIG_MAPS, "a", expired, again)
        await asyncio.sleep(60)
        assert names(informer) == {"b/x"}


@pytest.mark.looptime
async def test_by_name_a_namespace_without_permissions_does_not_block_others(
    client: ScriptedClient,
) -> None:
    informers = InformerSet(client, Scope(("a", "gone")))
    maps, secrets, told = informers.informer(CONFIG_MAPS), informers.informer(SECRETS), Told()
    maps.add_handler(told)
    client.send(CONFIG_MAPS, "a", added("a", "x"), LIST_END)
    client.send(SECRETS, "a", LIST_END)
    client.send(CONFIG_MAPS, "gone", added("gone", "x"), LIST_END)
    client.send(SECRETS, "gone", FORBIDDEN)
    async with running(informers):
        await informers.wait_synced(1)
        assert names(maps) == {"a/x"}
        client.send(CONFIG_MAPS, "gone", added("gone", "y", 11))
        await asyncio.sleep(60)
        assert names(maps) == {"a/x"}
        client.send(SECRETS, "gone", added("gone", "key"), LIST_END)
        await asyncio.sleep(60)
        assert names(maps) == {"a/x", "gone/x", "gone/y"}
        assert names(secrets) == {"gone/key"}
    assert told[-2:] == ["Created gone/x", "Created gone/y"]


@pytest.mark.looptime
async def test_by_name_missing_permissions_in_all_namespaces_are_an_error(
    client: ScriptedClient,
) -> None:
    informers = InformerSet(client, Scope(("a", "b")))
    informers.informer(CONFIG_MAPS)
    for namespace in "ab":
        client.send(CONFIG_MAPS, namespace, *[FORBIDDEN] * 20)
    async with running(informers):
        with pytest.raises(SyncTimeoutError, match="cannot watch"):
            await informers.wait_synced(30)


def by_label(client: ScriptedClient, *listed: WatchEvent) -> tuple[InformerSet, Informer, Informer]:
    """Return caches of two kinds, with one object each in `a` and `b`."""
    informers = InformerSet(client, Scope(selector="mcp=yes"))
    for resource in (CONFIG_MAPS, SECRETS):
        client.send(resource, "", added("a", "x"), added("b", "x"), LIST_END)
    client.send(NAMESPACES, "", *listed, LIST_END)
    return informers, informers.informer(CONFIG_MAPS), informers.informer(SECRETS)


@pytest.mark.looptime
async def test_by_label_only_objects_in_selected_namespaces_are_visible(
    client: ScriptedClient,
) -> None:
    listed: Sequence[WatchEvent] = [
        labeled("a", 4, kind="ADDED", mcp="yes"),
        labeled("b", 5, kind="ADDED", mcp="no"),
    ]
    informers, maps, _ = by_label(client, *listed)
    maps.add_handler(told := Told())
    async with running(informers):
        await informers.wait_synced(1)
        client.send(CONFIG_MAPS, "", added("b", "y", 11), added("a", "y", 12))
        await turns()
        assert names(maps) == {"a/x", "a/y"}
    assert set(told) == {"Created a/x", "Created a/y"}


@pytest.mark.looptime
async def test_by_label_a_namespace_enters_and_leaves_all_caches_in_one_step(
    client: ScriptedClient,
) -> None:
    informers, maps, secrets = by_label(client)
    seen: list[tuple[set[str], set[str]]] = []
    maps.add_handler(lambda _: seen.append((names(maps), names(secrets))))
    maps.add_handler(told := Told())
    async with running(informers):
        await informers.wait_synced(1)
        assert names(maps) == set()
        client.send(NAMESPACES, "", labeled("a", 20, mcp="yes"))
        await turns()
        assert (names(maps), names(secrets)) == ({"a/x"}, {"a/x"})
        client.send(NAMESPACES, "", labeled("a", 21))
        await turns()
        assert (names(maps), names(secrets)) == (set(), set())
    assert seen == [({"a/x"}, {"a/x"}), (set(), set())]
    assert told == ["Created a/x", "Deleted a/x"]


@pytest.mark.looptime
async def test_by_label_a_namespace_selected_again_has_the_changes_of_the_meantime(
    client: ScriptedClient,
) -> None:
    informers, maps, _ = by_label(client, labeled("a", 4, kind="ADDED", mcp="yes"))
    async with running(informers):
        await informers.wait_synced(1)
        client.send(NAMESPACES, "", labeled("a", 20))
        await turns()
        client.send(
            CONFIG_MAPS,
            "",
            added("a", "new", 21),
            WatchEvent("DELETED", in_namespace("a", "x", 22)),
            WatchEvent("MODIFIED", in_namespace("a", "new", 23)),
        )
        await turns()
        client.send(NAMESPACES, "", labeled("a", 24, mcp="yes"))
        await turns()
        assert names(maps) == {"a/new"}
        found = maps.store.get(Key("a", "new"))
        assert found is not None
        assert found["metadata"]["resourceVersion"] == "23"


@pytest.mark.looptime
async def test_by_label_a_relist_removes_deleted_objects_of_hidden_namespaces(
    client: ScriptedClient,
) -> None:
    informers, maps, _ = by_label(client)
    maps.add_handler(told := Told())
    again = WatchEvent("BOOKMARK", bookmark(30, ends_list=True))
    async with running(informers):
        await informers.wait_synced(1)
        client.send(CONFIG_MAPS, "", ApiError(410, "Expired", "too old"), added("b", "x"), again)
        await asyncio.sleep(60)
        client.send(NAMESPACES, "", labeled("a", 40, mcp="yes"), labeled("b", 41, mcp="yes"))
        await turns()
        assert names(maps) == {"b/x"}
    assert told == ["Created b/x"]


@pytest.mark.looptime
async def test_by_label_a_deleted_namespace_leaves_the_caches(client: ScriptedClient) -> None:
    informers, maps, _ = by_label(client, labeled("a", 4, kind="ADDED", mcp="yes"))
    async with running(informers):
        await informers.wait_synced(1)
        client.send(NAMESPACES, "", labeled("a", 20, kind="DELETED", mcp="yes"))
        await turns()
        assert names(maps) == set()


async def test_by_name_a_write_reaches_only_the_cache_of_its_namespace(
    client: ScriptedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    informers = InformerSet(client, Scope(("a", "b", "c")))
    informer = informers.informer(CONFIG_MAPS)
    told: list[str] = []
    for feed in informer.feeds:
        monkeypatch.setattr(
            feed.processor, "written", lambda _, namespace=feed.namespace: told.append(namespace)
        )
    [observe] = client.observers
    observe(CONFIG_MAPS, in_namespace("b", "x"))
    assert told == ["b"]
