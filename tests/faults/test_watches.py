"""Informer caches with network faults match the API server after every fault of a watch."""

from __future__ import annotations

import asyncio
import itertools
import json
import math

import pytest
from aiohttp import ClientTimeout

from faults.actions import Action, Lines, answer, ask_for, cut, edit, error_line, failure, hang
from faults.observed_informer import ObservedInformer, config_map, observed_informer, watch_opened
from faults.outages import EXPIRED, SHORTEST_PAUSES, watch_outage
from faults.proxy import FaultProxy
from faults.watch_edits import duplicated, reordered
from mcp_operator.core.meta import (
    Key,
    Resource,
    resource_version_of,
    uid_of,
)
from mcp_operator.runtime import client as client_module
from mcp_operator.runtime.client import WATCH_IDLE, Client
from support.objects import CONFIG_MAPS
from support.waiting import eventually

SECRETS = Resource("", "v1", "secrets", "Secret")
WATCH = r"/configmaps\?.*watch=true"
TOO_LARGE = error_line(504, "Timeout", "Too large resource version: 9, current: 5")


async def _pages(proxy: FaultProxy, least: int) -> bool:
    return len([seen for seen in proxy.lists() if "limit" in seen.query]) >= least


async def change(client: Client, namespace: str, name: str, value: str) -> None:
    await client.merge_patch(CONFIG_MAPS, Key(namespace, name), {"data": {"x": value}})


async def test_the_first_list_requests_the_newest_state(
    observed: ObservedInformer, subject: Client, proxy: FaultProxy, namespace: str
) -> None:
    async with observed_informer(subject, namespace):
        (first,) = proxy.lists("/configmaps")
        assert "resourceVersion" not in first.query


async def test_a_broken_watch_resumes_at_its_version(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    version = observed.informer.processor.resource_version
    proxy.kill()
    await change(client, namespace, "a", "2")
    await observed.holds(a="2", b="1")
    (again,) = proxy.watches("/configmaps")
    assert int(again.query["resourceVersion"]) == version
    assert again.query["allowWatchBookmarks"] == "true"
    assert 300 <= int(again.query["timeoutSeconds"]) <= 600
    assert proxy.lists() == []
    assert observed.summary == ["Updated a"]


async def test_without_support_for_streamed_lists_the_list_is_paged(
    observed: ObservedInformer, subject: Client, proxy: FaultProxy, namespace: str
) -> None:
    proxy.on("sendInitialEvents", failure(400, "BadRequest"), times=math.inf)
    async with observed_informer(subject, namespace) as paged:
        assert list(paged.informer.store) == list(observed.informer.store)
    assert [("limit" in seen.query) for seen in proxy.lists()] == [False, True]


async def test_a_list_that_expires_between_pages_starts_again(
    observed: ObservedInformer, subject: Client, proxy: FaultProxy, namespace: str
) -> None:
    proxy.on("sendInitialEvents", failure(400, "BadRequest"))
    proxy.on(r"limit=500$", ask_for(limit="1"), times=math.inf)
    proxy.on("continue=", failure(410, "Expired"))
    async with observed_informer(subject, namespace) as paged:
        assert list(paged.informer.store) == list(observed.informer.store)
    pages = ["continue" in seen.query for seen in proxy.lists()[1:]]
    assert pages[:4] == [False, True, False, True]


async def test_a_bookmark_updates_the_version_without_an_event(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    secret = {"metadata": {"namespace": namespace, "name": "other"}}
    newest = resource_version_of(await client.create(SECRETS, secret))
    bookmark = {"kind": "ConfigMap", "metadata": {"resourceVersion": str(newest)}}
    line = json.dumps({"type": "BOOKMARK", "object": bookmark}).encode() + b"\n"

    async def nothing_else(lines: Lines) -> Lines:
        yield line
        await asyncio.Event().wait()

    proxy.on(WATCH, edit(nothing_else))
    proxy.kill()
    await eventually(lambda: version_of(observed), newest)
    proxy.kill()
    await eventually(lambda: last_version(proxy), str(newest))
    assert observed.summary == []


@pytest.mark.parametrize("silence", ["of the stream", "of the response"])
async def test_a_silent_watch_is_reopened_after_a_timeout(
    *,
    observed: ObservedInformer,
    client: Client,
    proxy: FaultProxy,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    silence: str,
) -> None:
    assert client_module._WATCH_TIMEOUT.sock_read == WATCH_IDLE <= 70
    monkeypatch.setattr(client_module, "_WATCH_TIMEOUT", ClientTimeout(sock_read=0.5))
    if silence == "of the response":
        proxy.on(WATCH, hang())
        proxy.kill()
    else:
        proxy.kill()
        await eventually(lambda: watch_opened(proxy), expected=True)
        proxy.stall()
    await change(client, namespace, "a", "2")
    await observed.holds(a="2", b="1")
    assert proxy.lists() == []


async def test_refused_connections_are_retried_with_backoff(
    observed: ObservedInformer, subject: Client, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    labels = {"code": "<error>", "method": "GET", "host": proxy.url.removeprefix("https://")}

    async def tried_five_times() -> bool:
        tries = subject.metrics.registry.get_sample_value("rest_client_requests_total", labels)
        return (tries or 0) >= 5

    now = asyncio.get_running_loop().time
    await proxy.refuse()
    proxy.kill()
    began = now()
    await change(client, namespace, "a", "2")
    await eventually(tried_five_times, expected=True)
    assert now() - began >= sum(SHORTEST_PAUSES)
    await proxy.accept()
    await observed.holds(a="2", b="1")
    assert proxy.lists() == []


@pytest.mark.parametrize("refusal", [EXPIRED, TOO_LARGE], ids=["too old", "too large"])
async def test_a_version_that_the_server_does_not_have_causes_one_list(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str, refusal: Action
) -> None:
    proxy.on(WATCH, refusal)
    proxy.kill()
    await change(client, namespace, "a", "2")
    await observed.holds(a="2", b="1")
    assert len(proxy.lists()) == 1
    assert observed.summary == ["Updated a"]


async def test_versions_that_keep_expiring_are_listed_with_backoff(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    proxy.on("sendInitialEvents", failure(400, "BadRequest"), times=math.inf)
    proxy.on("watch=true.*resourceVersion=[0-9]", EXPIRED, times=math.inf)
    proxy.kill()
    await eventually(lambda: _pages(proxy, len(SHORTEST_PAUSES) + 2), expected=True)
    _, *listed = [
        seen.at for seen in proxy.lists() if "limit" in seen.query
    ]  # the first comes at once
    assert listed[len(SHORTEST_PAUSES)] - listed[0] >= sum(SHORTEST_PAUSES)
    proxy.forget()
    await change(client, namespace, "a", "2")
    await observed.holds(a="2", b="1")


@pytest.mark.parametrize(
    "busy",
    [
        failure(429, "TooManyRequests", retryAfterSeconds=1),
        answer(429, "storage is (re)initializing", headers={"Retry-After": "1"}),
    ],
    ids=["a Status", "text"],
)
async def test_a_watch_that_gets_429_is_retried_after_retry_after_at_the_same_version(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str, busy: Action
) -> None:
    proxy.on(WATCH, busy)
    proxy.kill()
    await change(client, namespace, "a", "2")
    await observed.holds(a="2", b="1")
    first, second = proxy.watches()
    assert second.at - first.at >= 1
    assert second.query["resourceVersion"] == first.query["resourceVersion"]
    assert proxy.lists() == []


async def test_watches_that_end_at_once_are_reopened_with_backoff(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    proxy.on(WATCH, answer(200), times=3)
    proxy.kill()
    await change(client, namespace, "a", "2")
    await observed.holds(a="2", b="1")
    opened = [seen.at for seen in proxy.watches()]
    gaps = [after - before for before, after in itertools.pairwise(opened)]
    assert len(gaps) == 3
    assert gaps[0] >= 0.08
    assert gaps[2] >= 0.32
    assert proxy.lists() == []


async def test_an_object_deleted_during_an_outage_is_reported_with_its_last_known_state(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    async with watch_outage(proxy):
        await client.delete(CONFIG_MAPS, Key(namespace, "a"))
    await observed.holds(b="1")
    (event,) = observed.events
    assert event.type == "Deleted"
    assert event.final_state_unknown
    assert event.object["data"] == {"x": "1"}


async def test_an_object_recreated_during_an_outage_is_reported_as_deleted_and_created(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    async with watch_outage(proxy):
        await client.delete(CONFIG_MAPS, Key(namespace, "a"))
        await client.create(CONFIG_MAPS, config_map(namespace, "a", "2"))
    await observed.holds(a="2", b="1")
    assert observed.summary == ["Deleted a", "Created a"]
    gone, new = observed.events
    assert gone.final_state_unknown
    assert uid_of(gone.object) != uid_of(new.object)


async def test_a_duplicated_event_is_reported_once(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    proxy.on(WATCH, edit(duplicated))
    proxy.kill()
    await change(client, namespace, "a", "2")
    await change(client, namespace, "b", "2")
    await observed.holds(a="2", b="2")
    await client.delete(CONFIG_MAPS, Key(namespace, "a"))
    await observed.holds(b="2")
    assert observed.summary == ["Updated a", "Updated b", "Deleted a"]


async def test_an_older_state_that_arrives_later_is_ignored(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    proxy.on(WATCH, edit(reordered))
    proxy.kill()
    await change(client, namespace, "a", "2")
    await change(client, namespace, "a", "3")
    await observed.holds(a="3", b="1")
    await change(client, namespace, "b", "2")
    await observed.holds(a="3", b="2")
    assert observed.summary == ["Updated a", "Updated b"]


async def test_a_watch_that_is_cut_within_a_line_resumes_without_a_list(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str
) -> None:
    rule = proxy.on(WATCH, cut(after=300))
    proxy.kill()
    await change(client, namespace, "a", "2")
    await observed.holds(a="2", b="1")
    assert rule.met.is_set()
    assert proxy.lists() == []


@pytest.mark.parametrize(
    "garbage", [b"<html>\n", b'{"type":"NEWS","object":{}}\n', b'{"type":"ADDED"}\n']
)
async def test_an_invalid_line_of_a_watch_causes_a_list(
    observed: ObservedInformer, client: Client, proxy: FaultProxy, namespace: str, garbage: bytes
) -> None:
    async def spoiled(lines: Lines) -> Lines:
        async for _ in lines:
            yield garbage

    proxy.on(WATCH, edit(spoiled))
    proxy.kill()
    await change(client, namespace, "a", "2")
    await observed.holds(a="2", b="1")
    assert len(proxy.lists()) == 1


async def version_of(observed: ObservedInformer) -> int:
    return observed.informer.processor.resource_version


async def last_version(proxy: FaultProxy) -> str:
    return proxy.watches()[-1].query["resourceVersion"]
