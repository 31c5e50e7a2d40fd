from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.api.catalog import Catalog, SecretKey
from mcp_operator.api.shards import INDEX_KEY, SHARD_KEY, encode
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.gateway.secret_values import SecretUnavailable
from mcp_operator.gateway.source import CatalogSource, ClusterSecrets
from mcp_operator.gateway.table import Current
from mcp_operator.runtime.errors import NO_ANSWER, ApiError
from mcp_operator.runtime.notification import Event, Handler
from support.entries import catalog, tool

INDEX = Key("demo", "mcp-server-shop-config")
KEY = SecretKey(namespace="demo", name="api", key="token")
CANARY = b"canary-8c1f3a-secret"

pytestmark = pytest.mark.looptime


def config_maps(content: Catalog, shard_bytes: int = 900 * 1024) -> dict[str, Object]:
    encoded = encode(content, shard_bytes)
    objects: dict[str, Object] = {}
    for number, shard in enumerate(encoded.shards):
        name = f"{INDEX.name}-{number}" if number else INDEX.name
        objects[name] = {
            "metadata": {"namespace": INDEX.namespace, "name": name},
            "binaryData": {SHARD_KEY: base64.b64encode(shard).decode()},
        }
    objects[INDEX.name]["data"] = {INDEX_KEY: encoded.index.model_dump_json(by_alias=True)}
    return objects


class FakeCluster:
    """Objects by name, an informer of the index among them, and a log of what was read."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.reads: list[str] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.synced = asyncio.Event()
        self._handlers: list[Handler] = []

    def add_handler(self, handler: Handler, /) -> None:
        self._handlers.append(handler)

    async def get(self, resource: Resource, key: Key) -> Object:
        self.reads.append(f"{resource.plural}/{key.name}")
        await self.gate.wait()
        if self.error:
            raise self.error
        if key.name not in self.objects:
            raise ApiError(404, "NotFound", f"{resource.plural} {key.name!r} not found")
        return self.objects[key.name]

    def publish(self, objects: dict[str, Object]) -> None:
        self.objects.update(objects)
        self.notify(Event("Updated", None, objects[INDEX.name]))

    def notify(self, event: Event) -> None:
        for handler in self._handlers:
            handler(event)


class Following:
    """A source at work on a fake cluster.

    Nothing here waits with a timeout: virtual time does not wait for the thread that verifies.
    """

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.current = Current()
        self.registry = CollectorRegistry()
        self.source = CatalogSource(
            self.cluster, self.cluster, self.current, index=INDEX, registry=self.registry
        )
        self._noticed = asyncio.Event()
        self.current.subscribe(lambda _: self._noticed.set())

    async def swapped(self) -> set[str]:
        """Wait for the next swap and return the names of the tools then served."""
        await self._noticed.wait()
        self._noticed.clear()
        assert self.current.table
        return set(self.current.table.tools)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - what is asked about tells nobody of its changes
            await asyncio.sleep(0.01)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(name)


@asynccontextmanager
async def following() -> AsyncIterator[Following]:
    case = Following()
    task = asyncio.create_task(case.source.run())
    yield case
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def big_catalog(*names: str) -> Catalog:
    return catalog(*(tool(name, description=name * 50) for name in names))


async def test_a_new_index_is_served() -> None:
    async with following() as case:
        assert "not been seen" in case.source.state
        case.cluster.publish(config_maps(catalog(tool("a"))))
        assert await case.swapped() == {"a"}
        case.cluster.publish(config_maps(catalog(tool("a"), tool("b"))))
        assert await case.swapped() == {"a", "b"}
        await case.until(lambda: case.source.state == "")
        assert case.metric("mcp_catalog_stale") == 0
        assert case.cluster.reads == []


async def test_further_shards_are_read_by_name() -> None:
    async with following() as case:
        objects = config_maps(big_catalog("a", "b", "c"), shard_bytes=100)
        case.cluster.publish(objects)
        assert await case.swapped() == {"a", "b", "c"}
        assert case.current.table
        assert case.current.table.shards == len(objects) > 2
        expected = {f"configmaps/{name}" for name in objects if name != INDEX.name}
        assert set(case.cluster.reads) == expected


async def test_the_same_digest_is_not_loaded_twice() -> None:
    async with following() as case:
        objects = config_maps(big_catalog("a", "b"), shard_bytes=100)
        case.cluster.publish(objects)
        await case.swapped()
        reads = len(case.cluster.reads)
        case.cluster.publish(objects)
        await asyncio.sleep(1)
        assert (case.current.generation, len(case.cluster.reads)) == (1, reads)


def _without_index(objects: dict[str, Object]) -> None:
    del objects[INDEX.name]["data"]


def _broken_index(objects: dict[str, Object]) -> None:
    objects[INDEX.name]["data"][INDEX_KEY] = "{"


def _without_shard(objects: dict[str, Object]) -> None:
    del objects[INDEX.name]["binaryData"]


def _not_base64(objects: dict[str, Object]) -> None:
    objects[INDEX.name]["binaryData"][SHARD_KEY] = "***"


def _other_bytes(objects: dict[str, Object]) -> None:
    objects[INDEX.name]["binaryData"][SHARD_KEY] = base64.b64encode(b"evil").decode()


def _missing_config_map(objects: dict[str, Object]) -> None:
    del objects[f"{INDEX.name}-1"]


def _old_config_map(objects: dict[str, Object]) -> None:
    name = f"{INDEX.name}-1"
    objects[name] = config_maps(big_catalog("x", "y", "z"), shard_bytes=100)[name]


@pytest.mark.parametrize(
    "spoil",
    [
        _without_index,
        _broken_index,
        _without_shard,
        _not_base64,
        _other_bytes,
        _missing_config_map,
        _old_config_map,
    ],
)
async def test_a_broken_catalog_leaves_the_last_good_one_in_service(
    spoil: Callable[[dict[str, Object]], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with following() as case:
        case.cluster.publish(config_maps(catalog(tool("good"))))
        await case.swapped()
        good = case.current.table
        objects = config_maps(big_catalog("a", "b", "c"), shard_bytes=100)
        whole = {name: obj | {} for name, obj in config_maps(
            big_catalog("a", "b", "c"), shard_bytes=100).items()}  # fmt: skip
        spoil(objects)
        with caplog.at_level(logging.WARNING):
            case.cluster.publish(objects)
            await case.until(lambda: case.source.state != "")
        assert case.current.table is good
        assert case.metric("mcp_catalog_stale") == 1
        assert case.metric("mcp_catalog_load_failures_total") == 1
        assert "The catalog cannot be loaded; the last good one stays in service" in caplog.messages
        # Mended, it is served: at once by a new index, or when it is tried again.
        case.cluster.publish(whole)
        assert await case.swapped() == {"a", "b", "c"}


async def test_an_index_that_was_early_is_tried_again() -> None:
    async with following() as case:
        objects = config_maps(big_catalog("a", "b", "c"), shard_bytes=100)
        late = objects.pop(f"{INDEX.name}-1")
        case.cluster.publish(objects)
        await case.until(lambda: "not found" in case.source.state)
        case.cluster.objects[f"{INDEX.name}-1"] = late
        assert await case.swapped() == {"a", "b", "c"}


async def test_retries_slow_down_and_warn_once(caplog: pytest.LogCaptureFixture) -> None:
    async with following() as case:
        objects = config_maps(big_catalog("a", "b", "c"), shard_bytes=100)
        del objects[f"{INDEX.name}-1"]
        with caplog.at_level(logging.WARNING):
            case.cluster.publish(objects)
            await asyncio.sleep(300)
        # After 1, 2, 4, 8, 16 and then every 30 seconds.
        assert case.cluster.reads.count(f"configmaps/{INDEX.name}-1") == 14
        assert len(caplog.records) == 1


async def test_a_deleted_index_changes_nothing() -> None:
    async with following() as case:
        case.cluster.publish(config_maps(catalog(tool("a"))))
        await case.swapped()
        case.cluster.notify(Event("Deleted", case.cluster.objects[INDEX.name], None))
        await case.until(lambda: "does not exist" in case.source.state)
        assert case.current.table
        assert set(case.current.table.tools) == {"a"}


async def test_other_objects_are_nobodys_index() -> None:
    async with following() as case:
        other = config_maps(catalog(tool("a")))[INDEX.name]
        other["metadata"]["name"] = "another"
        case.cluster.notify(Event("Created", None, other))
        await asyncio.sleep(1)
        assert case.current.table is None


async def test_entries_that_do_not_compile_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    broken = tool("broken", input_schema={"type": "nonsense"})
    async with following() as case:
        with caplog.at_level(logging.WARNING):
            case.cluster.publish(config_maps(catalog(broken, tool("fine"))))
            assert await case.swapped() == {"fine"}
            await case.until(lambda: case.source.state == "")
        assert [vars(record)["entry"] for record in caplog.records] == ["tool broken"]


def secret(value: bytes) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "demo", "name": "api"},
        "data": {"token": base64.b64encode(value).decode()},
    }


@pytest.fixture
async def cluster() -> FakeCluster:
    cluster = FakeCluster()
    cluster.objects["api"] = secret(CANARY)
    return cluster


@pytest.fixture
async def secrets(cluster: FakeCluster) -> AsyncIterator[ClusterSecrets]:
    secrets = ClusterSecrets(cluster)
    yield secrets
    await secrets.close()


async def test_a_secret_is_read_once_a_minute(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    values = await asyncio.gather(*(secrets.value(KEY) for _ in range(10)))
    assert values == [CANARY] * 10
    assert cluster.reads == ["secrets/api"]
    cluster.objects["api"] = secret(b"rotated")
    await asyncio.sleep(59)
    assert await secrets.value(KEY) == CANARY
    await asyncio.sleep(1.1)
    assert await secrets.value(KEY) == b"rotated"
    assert len(cluster.reads) == 2


async def test_a_distrusted_secret_is_read_again_but_not_in_a_loop(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    secrets.distrust(KEY)
    await secrets.value(KEY)
    cluster.objects["api"] = secret(b"rotated")
    for _ in range(5):
        secrets.distrust(KEY)
        await secrets.value(KEY)
    assert len(cluster.reads) == 1
    await asyncio.sleep(5)
    assert await secrets.value(KEY) == b"rotated"


@pytest.mark.parametrize(
    "error", [ApiError(NO_ANSWER, "ConnectionRefused", "down"), ApiError(503, "", "busy")]
)
async def test_an_outage_of_the_api_server_does_not_take_the_value_away(
    cluster: FakeCluster, secrets: ClusterSecrets, error: ApiError
) -> None:
    await secrets.value(KEY)
    cluster.error = error
    await asyncio.sleep(61)
    assert await secrets.value(KEY) == CANARY
    assert await secrets.value(KEY) == CANARY
    assert len(cluster.reads) == 2
    cluster.error = None
    cluster.objects["api"] = secret(b"rotated")
    await asyncio.sleep(5)
    assert await secrets.value(KEY) == b"rotated"


async def test_a_hung_api_server_delays_a_call_a_little(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    await secrets.value(KEY)
    cluster.gate.clear()
    await asyncio.sleep(61)
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert await secrets.value(KEY) == CANARY
    assert loop.time() - start == pytest.approx(2)
    cluster.objects["api"] = secret(b"rotated")
    cluster.gate.set()
    await asyncio.sleep(0.01)
    assert await secrets.value(KEY) == b"rotated"
    assert len(cluster.reads) == 2


async def test_a_caller_that_leaves_does_not_end_the_reading_for_others(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    cluster.gate.clear()
    first, second = (asyncio.create_task(secrets.value(KEY)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    cluster.gate.set()
    assert await second == CANARY
    assert len(cluster.reads) == 1


@pytest.mark.parametrize("status", [403, 404])
async def test_a_secret_that_is_taken_away_is_gone(
    cluster: FakeCluster, secrets: ClusterSecrets, status: int
) -> None:
    await secrets.value(KEY)
    cluster.error = ApiError(status, "", "no")
    await asyncio.sleep(61)
    with pytest.raises(SecretUnavailable, match="demo/api cannot be read"):
        await secrets.value(KEY)
    cluster.error = None
    await asyncio.sleep(5)
    assert await secrets.value(KEY) == CANARY


async def test_a_missing_key_is_named(secrets: ClusterSecrets) -> None:
    with pytest.raises(SecretUnavailable, match="no key 'other'"):
        await secrets.value(KEY.model_copy(update={"key": "other"}))


async def test_a_broken_secret_is_not_quoted(
    cluster: FakeCluster, secrets: ClusterSecrets, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.objects["api"] = {"metadata": {"name": "api"}, "data": {"token": f"!{CANARY!r}"}}
    with pytest.raises(SecretUnavailable, match="not base64"):
        await secrets.value(KEY)
    assert CANARY.decode() not in caplog.text


async def test_unused_values_are_forgotten(cluster: FakeCluster, secrets: ClusterSecrets) -> None:
    cluster.objects["other"] = secret(b"other")
    await secrets.value(KEY)
    await asyncio.sleep(700)
    await secrets.value(KEY.model_copy(update={"name": "other"}))
    assert set(secrets._known) == {Key("demo", "other")}


async def test_a_value_shows_in_no_representation(secrets: ClusterSecrets) -> None:
    await secrets.value(KEY)
    assert CANARY.decode() not in repr(secrets._known)


async def test_closing_ends_what_is_being_read(cluster: FakeCluster) -> None:
    secrets = ClusterSecrets(cluster)
    cluster.gate.clear()
    waiting = asyncio.create_task(secrets.value(KEY))
    await asyncio.sleep(0.01)
    await secrets.close()
    with pytest.raises(SecretUnavailable, match="stopping"):
        await waiting
