from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.api.catalog import Catalog, SecretKey
from mcp_operator.api.shards import INDEX_KEY, SHARD_KEY
from mcp_operator.core.meta import Object
from mcp_operator.gateway.source import CatalogSource
from mcp_operator.gateway.table import Current
from mcp_operator.runtime.notification import Event
from support.entries import catalog, tool
from support.fake_cluster import FakeCluster
from support.published import INDEX, config_maps

KEY = SecretKey(namespace="demo", name="api", key="token")
CANARY = b"canary-8c1f3a-secret"

pytestmark = pytest.mark.looptime


class Following:
    """A source that follows a fake cluster.

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
        while not condition():  # noqa: ASYNC110 - nothing signals a change of the condition
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


async def test_a_changed_index_is_loaded_and_served() -> None:
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
async def test_an_invalid_catalog_does_not_replace_the_last_good_one(
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
        # Once repaired, it is served: at once with a new index, or at the next retry.
        case.cluster.publish(whole)
        assert await case.swapped() == {"a", "b", "c"}


async def test_an_index_that_arrives_before_its_shards_is_retried() -> None:
    async with following() as case:
        objects = config_maps(big_catalog("a", "b", "c"), shard_bytes=100)
        late = objects.pop(f"{INDEX.name}-1")
        case.cluster.publish(objects)
        await case.until(lambda: "not found" in case.source.state)
        case.cluster.objects[f"{INDEX.name}-1"] = late
        assert await case.swapped() == {"a", "b", "c"}


async def test_retries_back_off_and_log_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    async with following() as case:
        objects = config_maps(big_catalog("a", "b", "c"), shard_bytes=100)
        del objects[f"{INDEX.name}-1"]
        with caplog.at_level(logging.WARNING):
            case.cluster.publish(objects)
            await asyncio.sleep(300)
        # After 1, 2, 4, 8, 16 and then every 30 seconds.
        assert case.cluster.reads.count(f"configmaps/{INDEX.name}-1") == 14
        assert len(caplog.records) == 1


async def test_a_deleted_index_does_not_change_the_served_catalog() -> None:
    async with following() as case:
        case.cluster.publish(config_maps(catalog(tool("a"))))
        await case.swapped()
        case.cluster.notify(Event("Deleted", case.cluster.objects[INDEX.name], None))
        await case.until(lambda: "does not exist" in case.source.state)
        assert case.current.table
        assert set(case.current.table.tools) == {"a"}


async def test_other_config_maps_are_ignored() -> None:
    async with following() as case:
        other = config_maps(catalog(tool("a")))[INDEX.name]
        other["metadata"]["name"] = "another"
        case.cluster.notify(Event("Created", None, other))
        await asyncio.sleep(1)
        assert case.current.table is None


async def test_tools_that_a_new_catalog_lacks_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with following() as case:
        for names in (["a", "b", "c"], ["b", "d"], ["b", "d", "e"]):
            case.cluster.publish(config_maps(catalog(*map(tool, names))))
            await case.swapped()
            await case.until(lambda: case.source.state == "")
    (line,) = [each for each in caplog.records if each.message == "Tools are no longer served"]
    assert vars(line)["entries"] == ["a", "c"]
    assert (vars(line)["lost"], vars(line)["left"]) == (2, 2)


async def test_entries_that_cannot_be_compiled_are_skipped_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = tool("broken", input_schema={"type": "nonsense"})
    async with following() as case:
        with caplog.at_level(logging.WARNING):
            case.cluster.publish(config_maps(catalog(broken, tool("fine"))))
            assert await case.swapped() == {"fine"}
            await case.until(lambda: case.source.state == "")
        assert [vars(record)["entry"] for record in caplog.records] == ["tool broken"]
