"""Subscriptions to resources of a backend: the gateway polls it, and notifies clients."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_operator.api.catalog import JsonObject, ResourceEntry
from mcp_operator.gateway.contract import Call, ResourceUnavailable
from mcp_operator.gateway.protocol import polling
from mcp_operator.gateway.protocol.message import KEEP_ALIVE, HttpRequest, HttpStream
from support.entries import argument, backend, resource, tool
from support.mcp_http import JSON_HEADERS, Server, legacy, message_of, modern, table

STOCK = "stock:///all"
pytestmark = pytest.mark.looptime


class Shelf:
    """A backend whose content a test changes."""

    def __init__(self, server: Server) -> None:
        self.text: dict[str, str] = {}
        self.etags: dict[str, str] = {}
        self.failing = False
        self.seconds = 0.0
        self.begun = asyncio.Event()
        self.reads: list[tuple[float, str, dict[str, str]]] = []
        server.executor.read_resource = self.read_resource  # type: ignore[method-assign]

    async def read_resource(
        self, entry: ResourceEntry, uri: str, variables: object, call: Call
    ) -> tuple[JsonObject, ...]:
        self.reads.append((asyncio.get_running_loop().time(), uri, dict(call.headers)))
        self.begun.set()
        await asyncio.sleep(self.seconds)
        if self.failing:
            raise ResourceUnavailable("gone")
        known, etag = call.validators, self.etags.get(uri, "")
        if known is not None:
            known.unchanged = bool(etag) and known.etag == etag
            known.etag = etag
            if known.unchanged:
                return ()
        return ({"uri": uri, "text": self.text.get(uri, "")},)


def stock(**fields: Any) -> ResourceEntry:
    given: dict[str, Any] = {"uri": STOCK, "backend": backend("/"), "poll_seconds": 5.0}
    return resource("stock", **given | fields)


async def listen(server: Server, *uris: str, **headers: str) -> HttpStream:
    wanted = {"notifications": {"resourceSubscriptions": list(uris)}}
    stream = await server.stream(modern("subscriptions/listen", wanted, **headers))
    await anext(stream.frames)
    return stream


async def told(stream: HttpStream, seconds: float) -> list[str]:
    """Return the URIs in the notifications of a stream within some seconds."""
    found = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                frame = await anext(stream.frames)
                if frame != KEEP_ALIVE:
                    message = message_of(frame)
                    assert message["method"] == "notifications/resources/updated"
                    found.append(message["params"]["uri"])
    except TimeoutError:
        return found


async def test_a_change_of_the_content_sends_one_notification() -> None:
    server = Server(stock())
    shelf = Shelf(server)
    stream = await listen(server, STOCK)
    assert await told(stream, 30) == []

    shelf.text[STOCK] = "new"

    assert await told(stream, 30) == [STOCK]
    await stream.frames.aclose()


async def test_a_client_that_subscribes_during_a_poll_is_notified_of_the_change() -> None:
    server = Server(stock())
    shelf = Shelf(server)
    first = await listen(server, STOCK)
    await asyncio.sleep(4)
    shelf.seconds = 0.9
    shelf.begun.clear()
    await shelf.begun.wait()
    second = await listen(server, STOCK)
    shelf.text[STOCK] = "new"
    assert await told(second, 30) == [STOCK]
    assert await told(first, 1) == [STOCK]
    await first.frames.aclose()
    await second.frames.aclose()


async def test_a_subscribed_session_is_notified_and_unsubscribing_stops_the_polls() -> None:
    server = Server(stock())
    shelf = Shelf(server)
    session = await server.initialize()
    await server.result(legacy("resources/subscribe", {"uri": STOCK}, mcp_session_id=session))
    stream = await server.stream(HttpRequest("GET", JSON_HEADERS | {"mcp-session-id": session}))
    await asyncio.sleep(3)
    shelf.text[STOCK] = "new"
    assert await told(stream, 10) == [STOCK]

    await server.result(legacy("resources/unsubscribe", {"uri": STOCK}, mcp_session_id=session))
    await asyncio.sleep(2)
    count = len(shelf.reads)
    await asyncio.sleep(60)
    assert len(shelf.reads) == count
    await stream.frames.aclose()
    await server.endpoint.close()


async def test_an_unchanged_etag_or_content_sends_no_notification() -> None:
    server = Server(stock())
    shelf = Shelf(server)
    shelf.etags[STOCK] = '"1"'
    stream = await listen(server, STOCK)
    await asyncio.sleep(7)
    shelf.text[STOCK] = "of the same tag"
    assert await told(stream, 20) == []
    shelf.etags[STOCK] = '"2"'
    assert await told(stream, 20) == [STOCK]
    shelf.etags[STOCK] = '"3"'  # another tag for the same content
    assert await told(stream, 20) == []
    await stream.frames.aclose()


async def test_all_subscribers_share_one_poll_per_interval_until_the_last_one_leaves() -> None:
    server = Server(stock())
    shelf = Shelf(server)
    streams = [await listen(server, STOCK) for _ in range(3)]
    await asyncio.sleep(51)
    assert [round(time) for time, _, _ in shelf.reads] == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]
    shelf.text[STOCK] = "new"
    await asyncio.sleep(10)
    assert [await told(stream, 1) for stream in streams] == [[STOCK]] * 3

    for stream in streams:
        await stream.frames.aclose()
    await asyncio.sleep(2)
    count = len(shelf.reads)
    await asyncio.sleep(100)
    assert len(shelf.reads) == count

    again = await listen(server, STOCK)
    await asyncio.sleep(2)
    assert len(shelf.reads) == count + 1
    await again.frames.aclose()


async def test_failed_polls_back_off_and_send_no_notification() -> None:
    server = Server(stock())
    shelf = Shelf(server)
    stream = await listen(server, STOCK)
    await asyncio.sleep(2)
    shelf.failing = True
    await asyncio.sleep(3600)
    pauses = [b - a for (a, _, _), (b, _, _) in zip(shelf.reads[1:], shelf.reads[2:], strict=False)]
    assert [round(pause) for pause in pauses[:6]] == [10, 20, 40, 80, 160, 300]
    assert max(pauses) < polling.MAX_BACKOFF_SECONDS + 2

    shelf.failing = False
    assert await told(stream, 400) == []
    shelf.text[STOCK] = "new"
    assert await told(stream, 10) == [STOCK]
    await stream.frames.aclose()


async def test_uris_of_a_template_are_polled_too() -> None:
    template = stock(
        uri="",
        uri_template="stock:///{id}",
        backend=backend("/{id}", argument("id", "path")),
    )
    server = Server(template)
    shelf = Shelf(server)
    stream = await listen(server, "stock:///7", "stock:///8")
    await asyncio.sleep(2)
    shelf.text["stock:///8"] = "new"
    assert await told(stream, 20) == ["stock:///8"]
    assert {uri for _, uri, _ in shelf.reads} == {"stock:///7", "stock:///8"}
    await stream.frames.aclose()


async def test_clients_with_different_forwarded_headers_are_polled_for_separately() -> None:
    server = Server(stock(backend=backend("/", forward_headers=("x-team",))))
    shelf = Shelf(server)
    streams = [
        await listen(server, STOCK, x_team="a", cookie="1"),
        await listen(server, STOCK, x_team="a", cookie="2"),
        await listen(server, STOCK, x_team="b"),
        await listen(server, STOCK),
    ]
    await asyncio.sleep(2)
    sent = [headers for _, _, headers in shelf.reads]
    assert sent == [{"x-team": "a"}, {"x-team": "b"}, {}]
    for stream in streams:
        await stream.frames.aclose()


async def test_resources_without_a_poll_interval_are_not_polled() -> None:
    server = Server(stock(poll_seconds=None), tool("add"))
    shelf = Shelf(server)
    stream = await listen(server, STOCK)
    await asyncio.sleep(60)
    assert shelf.reads == []

    server.current.swap(table(stock()))
    await asyncio.sleep(2)
    assert len(shelf.reads) == 1
    await stream.frames.aclose()


async def test_one_client_can_use_at_most_half_of_the_polls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polling, "MAX_POLLED", 6)
    template = stock(
        uri="", uri_template="stock:///{id}", backend=backend("/{id}", argument("id", "path"))
    )
    server = Server(template)
    shelf = Shelf(server)
    stream = await listen(server, *(f"stock:///{n}" for n in range(20)))
    await asyncio.sleep(4)
    assert len({uri for _, uri, _ in shelf.reads}) == 3
    await stream.frames.aclose()


async def test_a_client_that_cannot_read_a_resource_is_not_notified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(stock())
    shelf = Shelf(server)
    stream = await listen(server, STOCK)
    await asyncio.sleep(2)
    monkeypatch.setattr(server.endpoint._core.poller, "_visible", lambda *_: False)
    shelf.text[STOCK] = "new"
    assert await told(stream, 20) == []
    await stream.frames.aclose()


async def test_changed_content_in_a_new_catalog_sends_a_notification() -> None:
    server = Server(resource("readme", uri="file:///readme", text="old"))
    stream = await listen(server, "file:///readme")
    server.current.swap(table(resource("readme", uri="file:///readme", text="new")))
    assert await told(stream, 1) == ["file:///readme"]
    await stream.frames.aclose()
