"""Answers of the API server, above all those with an object that is nested too deeply to decode."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.core.meta import UNREADABLE, Key, Object
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime import oversized
from mcp_operator.runtime.informer import InformerSet
from support.objects import CONFIG_MAPS, bookmark, config_map
from support.scripted_api import ScriptedApi, scripted_client

DEEP = 10_000
"""Levels of nesting that an API server accepts."""


def nested(levels: int = DEEP) -> bytes:
    return b'{"a":[' * (levels // 2) + b'"}]\\"{"' + b"]}" * (levels // 2)


def deep_map(name: str, version: int = 5, *, where: str = "data") -> bytes:
    """Return a ConfigMap in JSON with a field that is nested as deeply as an API server accepts."""
    obj = config_map(name, version)
    outer, _, inner = where.partition(".")
    if inner:
        obj[outer][inner] = "DEEP"
    else:
        obj[outer] = "DEEP"
    return json.dumps(obj).encode().replace(b'"DEEP"', nested())


def event(obj: bytes, kind: str = "ADDED") -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), obj)


def assert_only_named(obj: Object, name: str) -> None:
    assert obj["metadata"]["name"] == name
    assert obj.keys() == {"apiVersion", "kind", "metadata", UNREADABLE}
    assert "200 levels" in obj[UNREADABLE]


async def test_only_the_object_of_a_page_that_is_too_deep_is_cut(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    plain = json.dumps(config_map("b", 6)).encode()
    items = b",".join((deep_map("a"), plain, deep_map("c")))
    api.answer(b'{"metadata":{"resourceVersion":"9"},"items":[%s]}' % items)
    async with scripted_client(api, metrics) as client:
        [page] = [page async for page in client.list_pages(CONFIG_MAPS)]
    first, second, third = page.items
    assert_only_named(first, "a")
    assert second == config_map("b", 6)
    assert_only_named(third, "c")


async def test_a_watch_goes_on_after_an_object_that_is_too_deep(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    api.stream(event(deep_map("a")), {"type": "ADDED", "object": config_map("b", 6)})
    async with (
        scripted_client(api, metrics) as client,
        aclosing(client.watch(CONFIG_MAPS)) as events,
    ):
        first, second = [event async for event in events]
    assert_only_named(first.object, "a")
    assert second.object == config_map("b", 6)


async def test_an_answer_to_a_write_that_is_too_deep_is_cut(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    api.answer(deep_map("a"))
    async with scripted_client(api, metrics) as client:
        answer = await client.apply(CONFIG_MAPS, config_map("a"), subresource="status")
    assert_only_named(answer, "a")


async def test_managed_fields_that_are_too_deep_do_not_cut_the_object(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    api.answer(deep_map("a", where="metadata.managedFields"))
    async with scripted_client(api, metrics) as client:
        assert await client.get(CONFIG_MAPS, Key("demo", "a")) == config_map("a", 5)


async def test_a_status_is_kept_unless_it_is_too_deep_itself(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    obj = json.loads(deep_map("a").replace(nested(), b'"DEEP"')) | {"status": {"ready": True}}
    api.answer(json.dumps(obj).encode().replace(b'"DEEP"', nested()))
    api.answer(deep_map("a", where="status"))
    async with scripted_client(api, metrics) as client:
        kept = await client.get(CONFIG_MAPS, Key("demo", "a"))
        dropped = await client.get(CONFIG_MAPS, Key("demo", "a"))
    assert kept["status"] == {"ready": True}
    assert_only_named(dropped, "a")


async def test_an_object_that_is_too_deep_is_reported_once_by_name(
    api: ScriptedApi, metrics: RuntimeMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    api.stream(
        event(deep_map("a", 5)),
        {"type": "BOOKMARK", "object": bookmark(5, ends_list=True)},
        event(deep_map("a", 6), "MODIFIED"),
        {"type": "MODIFIED", "object": config_map("a", 7)},
    )
    api.hang()
    async with scripted_client(api, metrics) as client:
        informer = InformerSet(client).informer(CONFIG_MAPS)
        seen: asyncio.Queue[str] = asyncio.Queue()
        informer.add_handler(lambda e: seen.put_nowait(e.object["metadata"]["resourceVersion"]))
        running = asyncio.create_task(informer.run())
        assert [await seen.get() for _ in range(3)] == ["5", "6", "7"]
        running.cancel()
        await asyncio.wait({running})
    [record] = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert (
        record.getMessage() == "An object cannot be read; it is treated as invalid until it changes"
    )
    assert record.__dict__["object"] == "ConfigMap demo/a"


CROWDED = config_map("crowded", 5) | {"data": ["x"] * (oversized.MAX_VALUES + 1)}


def assert_crowded(obj: Object) -> None:
    assert obj["metadata"]["name"] == "crowded"
    assert obj.keys() == {"apiVersion", "kind", "metadata", UNREADABLE}
    assert "100,000 values" in obj[UNREADABLE]


async def test_only_the_object_of_a_page_with_too_many_values_is_cut(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    items = [CROWDED, config_map("b", 6)]
    api.answer({"metadata": {"resourceVersion": "9"}, "items": items})
    async with scripted_client(api, metrics) as client:
        [page] = [page async for page in client.list_pages(CONFIG_MAPS)]
    assert_crowded(page.items[0])
    assert page.items[1] == config_map("b", 6)


async def test_a_page_with_too_many_values_in_total_is_read(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    crowd = config_map("b", 6) | {"data": ["x"] * (oversized.MAX_VALUES - 1000)}
    api.answer({"metadata": {"resourceVersion": "9"}, "items": [CROWDED, *[crowd] * 10]})
    async with scripted_client(api, metrics) as client:
        [page] = [page async for page in client.list_pages(CONFIG_MAPS)]
    assert_crowded(page.items[0])
    assert page.items[1:] == [crowd] * 10


async def test_a_watch_goes_on_after_an_object_with_too_many_values(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    api.stream(
        {"type": "ADDED", "object": CROWDED}, {"type": "ADDED", "object": config_map("b", 6)}
    )
    async with (
        scripted_client(api, metrics) as client,
        aclosing(client.watch(CONFIG_MAPS)) as events,
    ):
        first, second = [event async for event in events]
    assert_crowded(first.object)
    assert second.object == config_map("b", 6)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(JSON, st.integers(oversized.MAX_LEVELS - 30, oversized.MAX_LEVELS + 30))
def test_cutting_a_value_that_is_too_deep_changes_no_other_value(value: Any, levels: int) -> None:
    text = json.dumps([value]).encode()
    cut = oversized.cut_deep(b"[" + text + b"," + nested(levels) + b"," + text + b"]")
    before, _, after = oversized.decode(cut)
    assert before == after == [value]
