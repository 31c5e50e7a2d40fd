from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcp_operator.core.meta import Key, Object, Resource, key_of
from mcp_operator.runtime.errors import LOST, MALFORMED, NO_ANSWER, REFUSED, ApiError
from mcp_operator.runtime.reflector import Reflector
from mcp_operator.runtime.wire import Page, WatchEvent
from support.fake_client import FakeClient
from support.objects import CONFIG_MAPS, bookmark, config_map

LIST_END = WatchEvent("BOOKMARK", bookmark(10, ends_list=True))
EXPIRED = ApiError(410, "Expired", "too old resource version")
UNSUPPORTED = ApiError(422, "Invalid", "sendInitialEvents is forbidden")
FOREVER = 1e6


class Log:
    """A sink that records its calls."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def upsert(self, obj: Object) -> Key:
        key = key_of(obj)
        self.lines.append(f"+{key.name}")
        return key

    def remove(self, obj: Object) -> None:
        self.lines.append(f"-{key_of(obj).name}")

    def advance(self, resource_version: str) -> None:
        self.lines.append(f"@{resource_version}")

    def complete(self, present: set[Key], resource_version: str) -> None:
        names = "".join(sorted(key.name for key in present))
        self.lines.append(f"={names}@{resource_version}")


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def log() -> Log:
    return Log()


@asynccontextmanager
async def running(
    client: FakeClient, log: Log, *, optional: bool = False
) -> AsyncIterator[Reflector]:
    def distrust() -> None:
        log.lines.append("rolled back")
        reflector.distrust()

    reflector = Reflector(
        client,
        CONFIG_MAPS,
        {"namespace": "demo"},
        log,
        optional=optional,
        metrics=client.metrics,
        on_rollback=distrust,
    )

    task = asyncio.create_task(reflector.run())
    yield reflector
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})


def added(name: str, version: int) -> WatchEvent:
    return WatchEvent("ADDED", config_map(name, version))


@pytest.mark.looptime
async def test_one_watch_streams_the_list_and_then_the_changes(
    client: FakeClient, log: Log
) -> None:
    client.watches.append(
        [
            added("a", 5),
            WatchEvent("BOOKMARK", bookmark(6)),
            LIST_END,
            WatchEvent("MODIFIED", config_map("a", 11)),
            WatchEvent("BOOKMARK", bookmark(15)),
            WatchEvent("DELETED", config_map("a", 16)),
            FOREVER,
        ]
    )
    async with running(client, log):
        await asyncio.sleep(1)
    assert log.lines == ["+a", "=a@10", "+a", "@11", "@15", "-a", "@16"]
    assert client.asked[0]["send_initial_events"] is True
    assert client.asked[0]["namespace"] == "demo"


@pytest.mark.looptime
async def test_an_object_deleted_while_the_list_streams_is_not_listed(
    client: FakeClient, log: Log
) -> None:
    client.watches.append(
        [added("a", 5), WatchEvent("DELETED", config_map("a", 9)), LIST_END, FOREVER]
    )
    async with running(client, log):
        await asyncio.sleep(1)
    assert log.lines == ["+a", "-a", "=@10"]


@pytest.mark.looptime
async def test_without_streaming_lists_every_list_is_read_in_pages(
    client: FakeClient, log: Log
) -> None:
    client.watches.extend([[UNSUPPORTED], [EXPIRED], [FOREVER]])
    client.lists.extend(
        [
            [Page([config_map("a", 5)], "10"), Page([config_map("b", 6)], "10")],
            [Page([], "20")],
        ]
    )
    async with running(client, log):
        await asyncio.sleep(0.1)
    assert log.lines == ["+a", "+b", "=ab@10", "=@20"]
    assert [ask["verb"] for ask in client.asked] == ["watch", "list", "watch", "list", "watch"]
    assert client.asked[-1]["resource_version"] == "20"
    assert client.asked[-1]["send_initial_events"] is False


@pytest.mark.looptime
async def test_a_watch_that_ends_before_its_list_is_complete_falls_back_to_pages(
    client: FakeClient, log: Log
) -> None:
    client.watches.extend([[added("a", 5)], [FOREVER]])
    client.lists.append([Page([config_map("a", 5)], "10")])
    async with running(client, log):
        await asyncio.sleep(0.1)
    assert log.lines[-1] == "=a@10"


@pytest.mark.looptime
async def test_a_watch_that_ends_resumes_at_once_from_its_last_version(
    client: FakeClient, log: Log
) -> None:
    client.watches.extend([[LIST_END, added("a", 11)], [added("b", 12)], [300.0], [FOREVER]])
    async with running(client, log):
        await asyncio.sleep(301)
    assert log.lines == ["=@10", "+a", "@11", "+b", "@12"]
    assert [ask["resource_version"] for ask in client.asked] == ["", "11", "12", "12"]


@pytest.mark.looptime
async def test_an_expired_version_leads_to_a_relist_at_once(client: FakeClient, log: Log) -> None:
    client.watches.extend([[LIST_END, EXPIRED], [LIST_END, FOREVER]])
    async with running(client, log):
        await asyncio.sleep(0.1)
    assert log.lines == ["=@10", "=@10"]
    labels = {"kind": "ConfigMap", "reason": "expired"}
    sample = client.metrics.registry.get_sample_value
    assert sample("informer_relists_total", labels) == 1


class Storm(FakeClient):
    """Answers like a server that keeps no old versions: with a list, and then with 410."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.listed: list[float] = []
        self.expired = 0
        self._kind = kind

    async def watch(self, resource: Resource, **arguments: Any) -> AsyncGenerator[WatchEvent, None]:
        if arguments["send_initial_events"]:
            if self._kind != "streams":
                raise UNSUPPORTED
            self._list()
            yield LIST_END
        self.expired += 1
        raise EXPIRED

    async def list_pages(self, resource: Resource, **arguments: Any) -> AsyncGenerator[Page, None]:
        self._list()
        if self._kind == "pages":
            self.expired += 1
            raise EXPIRED
        yield Page([], "10")

    def _list(self) -> None:
        self.listed.append(asyncio.get_running_loop().time())


@pytest.mark.looptime
@pytest.mark.parametrize("kind", ["streams", "watches", "pages"])
async def test_versions_that_keep_expiring_are_relisted_with_backoff(log: Log, kind: str) -> None:
    storm = Storm(kind)
    async with running(storm, log):
        await asyncio.sleep(300)
    gaps = [after - before for before, after in itertools.pairwise(storm.listed)]
    assert len(storm.listed) <= storm.expired + 1
    assert 10 <= len(storm.listed) <= 18
    assert all(30 <= gap <= 60 for gap in gaps[7:])
    assert len({round(gap, 3) for gap in gaps}) == len(
        gaps
    )  # replicas do not relist at the same time


@pytest.mark.looptime
async def test_a_malformed_line_leads_to_a_relist(client: FakeClient, log: Log) -> None:
    broken = ApiError(NO_ANSWER, MALFORMED, "no event")
    client.watches.extend([[LIST_END, broken], [LIST_END, FOREVER]])
    async with running(client, log):
        await asyncio.sleep(2)
    assert log.lines == ["=@10", "=@10"]


@pytest.mark.looptime
async def test_watches_that_end_without_an_event_are_reopened_with_backoff(
    client: FakeClient, log: Log
) -> None:
    client.watches.extend([[LIST_END], *([[]] * 20)])
    async with running(client, log):
        await asyncio.sleep(60)
    assert 4 <= len(client.asked) <= 9


@pytest.mark.looptime
async def test_a_watch_resumes_after_the_retry_after_of_an_overloaded_server(
    client: FakeClient, log: Log
) -> None:
    busy = ApiError(429, "TooManyRequests", "busy", retry_after=7.0)
    client.watches.extend([[LIST_END, added("a", 11)], [busy], [FOREVER]])
    async with running(client, log) as reflector:
        await asyncio.sleep(6.9)
        assert len(client.asked) == 2
        assert "busy" in reflector.problem
        await asyncio.sleep(0.2)
        assert len(client.asked) == 3
    assert client.asked[-1]["resource_version"] == "11"


@pytest.mark.looptime
async def test_a_watch_that_resumes_clears_the_problem(client: FakeClient, log: Log) -> None:
    busy = ApiError(429, "TooManyRequests", "busy", retry_after=7.0)
    client.watches.extend([[LIST_END], [busy], [WatchEvent("BOOKMARK", bookmark(15)), FOREVER]])
    async with running(client, log) as reflector:
        await asyncio.sleep(6)
        assert "busy" in reflector.problem
        await asyncio.sleep(6)
        assert reflector.problem == ""


@pytest.mark.looptime
async def test_a_reflector_retries_the_streaming_list_of_an_unreachable_server(
    client: FakeClient, log: Log
) -> None:
    refused = ApiError(NO_ANSWER, REFUSED, "connection refused")
    client.watches.extend([[refused], [refused], [LIST_END, FOREVER]])
    async with running(client, log) as reflector:
        await asyncio.sleep(6)
        assert reflector.problem == ""
    assert log.lines == ["=@10"]


@pytest.mark.looptime
async def test_a_list_in_pages_that_expires_begins_again(client: FakeClient, log: Log) -> None:
    client.watches.extend([[UNSUPPORTED], [FOREVER]])
    client.lists.extend([EXPIRED, [Page([], "20")]])
    async with running(client, log):
        await asyncio.sleep(0.1)
    assert log.lines == ["=@20"]


@pytest.mark.looptime
async def test_an_optional_kind_that_is_not_served_has_an_empty_list_and_is_retried(
    client: FakeClient, log: Log
) -> None:
    missing = ApiError(404, "NotFound", "the server could not find the requested resource")
    client.watches.extend([[missing], [missing], [LIST_END, FOREVER]])
    async with running(client, log, optional=True) as reflector:
        await asyncio.sleep(59)
        assert log.lines == ["=@", "=@"]
        assert not reflector.served
        await asyncio.sleep(2)
        assert reflector.served
    assert log.lines == ["=@", "=@", "=@10"]


@pytest.mark.looptime
async def test_a_required_kind_that_is_not_served_is_not_listed_as_empty(
    client: FakeClient, log: Log
) -> None:
    missing = ApiError(404, "NotFound", "the server could not find the requested resource")
    client.watches.extend([[missing]] * 100)
    async with running(client, log) as reflector:
        await asyncio.sleep(600)
        assert "could not find" in reflector.problem
        assert "install its CustomResourceDefinition" in reflector.problem
    assert log.lines == []


@pytest.mark.looptime
async def test_an_error_that_keeps_a_watch_from_opening_is_logged_once_per_outage(
    client: FakeClient, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    refused = ApiError(NO_ANSWER, "Other", "refused for now")
    client.watches.extend([[refused]] * 5)
    client.watches.append([LIST_END, 20.0])
    client.watches.extend([[refused]] * 5)
    async with running(client, log):
        await asyncio.sleep(600)
    assert len(client.asked) > 10
    told = [one for one in caplog.records if "refused" in str(one.__dict__.get("error"))]
    assert len(told) == 2


@pytest.mark.looptime
async def test_the_reflector_does_not_log_refused_connections(
    client: FakeClient, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    client.watches.extend([[ApiError(NO_ANSWER, REFUSED, "connection refused")]] * 5)
    async with running(client, log):
        await asyncio.sleep(600)
    assert len(client.asked) > 5
    assert [one for one in caplog.records if one.levelno >= logging.INFO] == []


@pytest.mark.looptime
async def test_a_watch_resumes_without_a_relist_after_a_lost_connection(
    client: FakeClient, log: Log
) -> None:
    lost = ApiError(NO_ANSWER, LOST, "reset")
    client.watches.extend([[LIST_END, added("a", 11)], [lost], [added("b", 12), FOREVER]])
    async with running(client, log):
        await asyncio.sleep(2)
    assert log.lines == ["=@10", "+a", "@11", "+b", "@12"]


@pytest.mark.looptime
@pytest.mark.parametrize(("newest", "told"), [("15", []), ("14", ["rolled back"])])
async def test_before_a_watch_resumes_the_reflector_checks_for_a_rollback(
    client: FakeClient, log: Log, newest: str, told: list[str]
) -> None:
    client.watches.extend([[LIST_END, added("a", 15)], [FOREVER]])
    client.newest = newest
    async with running(client, log):
        await asyncio.sleep(1)
    assert log.lines == ["=@10", "+a", "@15", *told]


@pytest.mark.looptime
async def test_the_check_for_a_rollback_is_skipped_right_after_a_list(
    client: FakeClient, log: Log
) -> None:
    client.watches.extend([[UNSUPPORTED], [FOREVER]])
    client.lists.append([Page([], "10")])
    client.newest = "5"
    async with running(client, log):
        await asyncio.sleep(1)
    assert log.lines == ["=@10"]


@pytest.mark.looptime
@pytest.mark.parametrize("busy", [[FOREVER], [ApiError(NO_ANSWER, REFUSED, "no")] * 9])
async def test_distrust_leads_to_a_relist_at_once_even_during_a_watch_or_a_pause(
    client: FakeClient, log: Log, busy: list[float | ApiError]
) -> None:
    first: list[WatchEvent | float | ApiError] = [LIST_END, added("a", 11), 1.0]
    client.watches.append(first)
    client.watches.append(busy)
    async with running(client, log) as reflector:
        await asyncio.sleep(1.5)
        client.watches.clear()
        client.watches.append([WatchEvent("BOOKMARK", bookmark(3, ends_list=True)), FOREVER])
        reflector.distrust()
        await asyncio.sleep(0.01)
    assert log.lines[-1] == "=@3"
    assert client.asked[-1]["send_initial_events"] is True
