"""Streams of both eras that notify clients of changes."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from dataclasses import replace

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.protocol.message import KEEP_ALIVE, Frames, HttpRequest, HttpStream
from support.entries import prompt, resource, tool
from support.mcp_http import JSON_HEADERS, Server, legacy, message_of, modern, table

TAG = "io.modelcontextprotocol/subscriptionId"
README = resource("readme", uri="file:///readme", text="old")
EDITED = resource("readme", uri="file:///readme", text="new")


def listen(request_id: object = "sub", **notifications: object) -> HttpRequest:
    return modern("subscriptions/listen", {"notifications": notifications}, request_id=request_id)


def get(session: str) -> HttpRequest:
    return HttpRequest("GET", JSON_HEADERS | {"mcp-session-id": session})


async def read(frames: Frames) -> JsonObject:
    return message_of(await anext(aiter(frames)))


async def nothing(frames: Frames) -> bool:
    """Return whether a stream has nothing to send."""
    waiting = asyncio.ensure_future(anext(aiter(frames)))
    for _ in range(5):
        await asyncio.sleep(0)
    waiting.cancel()
    return not waiting.done()


async def test_a_stream_starts_with_the_acknowledged_subscriptions() -> None:
    server = Server()
    stream = await server.stream(
        listen(
            toolsListChanged=True,
            promptsListChanged=False,
            resourcesListChanged=None,
            resourceSubscriptions=["file:///readme"],
            weather=True,
        )
    )

    assert await read(stream.frames) == {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {
            "_meta": {TAG: "sub"},
            "notifications": {
                "toolsListChanged": True,
                "resourceSubscriptions": ["file:///readme"],
            },
        },
    }
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["x-accel-buffering"] == "no"
    await stream.frames.aclose()


async def test_a_notification_has_the_id_of_its_subscription() -> None:
    server = Server(tool("a"))
    stream = await server.stream(listen(request_id=5, toolsListChanged=True))
    await read(stream.frames)

    server.current.swap(table())

    assert await read(stream.frames) == {
        "jsonrpc": "2.0",
        "method": "notifications/tools/list_changed",
        "params": {"_meta": {TAG: 5}},
    }


async def test_changes_without_a_subscription_send_no_notification() -> None:
    server = Server(tool("a"), README)
    stream = await server.stream(listen(promptsListChanged=True, resourceSubscriptions=["x:y"]))
    await read(stream.frames)

    server.current.swap(table(EDITED, tool("b")))

    assert await nothing(stream.frames)


async def test_each_kind_of_change_sends_one_notification() -> None:
    server = Server(tool("a"), README)
    stream = await server.stream(
        listen(
            toolsListChanged=True,
            promptsListChanged=True,
            resourcesListChanged=True,
            resourceSubscriptions=["file:///readme"],
        )
    )
    await read(stream.frames)

    new = resource("other", uri="file:///other", text="x")
    server.current.swap(table(prompt("x", name="p"), EDITED, new))
    server.current.swap(table(tool("c"), EDITED, new))

    methods = [(await read(stream.frames))["method"] for _ in range(4)]
    assert sorted(methods) == [
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/tools/list_changed",
    ]
    assert await nothing(stream.frames)


async def test_an_equal_catalog_sends_no_notification() -> None:
    server = Server(tool("a"))
    stream = await server.stream(listen(toolsListChanged=True))
    await read(stream.frames)

    server.current.swap(table(tool("a")))

    assert await nothing(stream.frames)


@pytest.mark.looptime
async def test_an_idle_stream_sends_keep_alives() -> None:
    server = Server()
    stream = await server.stream(listen(toolsListChanged=True))
    await read(stream.frames)
    start = asyncio.get_running_loop().time()

    assert await anext(aiter(stream.frames)) == KEEP_ALIVE
    assert asyncio.get_running_loop().time() - start == 15


async def test_a_server_that_stops_ends_streams_with_their_result() -> None:
    server = Server(tool("a"))
    stream = await server.stream(listen(toolsListChanged=True))
    await read(stream.frames)
    server.current.swap(table())

    server.endpoint.close_streams()

    assert (await read(stream.frames))["method"] == "notifications/tools/list_changed"
    last = await read(stream.frames)
    assert last["id"] == "sub"
    assert last["result"]["resultType"] == "complete"
    assert last["result"]["_meta"][TAG] == "sub"
    with pytest.raises(StopAsyncIteration):
        await anext(aiter(stream.frames))
    status, _ = await server.error(listen())
    assert status == 503


async def test_an_idle_stream_ends_when_the_server_stops() -> None:
    server = Server()
    stream = await server.stream(listen())
    await read(stream.frames)
    waiting = asyncio.ensure_future(read(stream.frames))
    await asyncio.sleep(0)

    server.endpoint.close_streams()

    assert "result" in await waiting


async def test_a_stream_over_the_limit_gets_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_operator.gateway.protocol.subscriptions.MAX_STREAMS", 1)
    server = Server()
    stream = await server.stream(listen())
    assert server.endpoint.open_streams == 1

    answer = await server.respond(listen())
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")

    await stream.frames.aclose()
    await stream.frames.aclose()
    assert server.endpoint.open_streams == 0
    await server.stream(listen())


async def test_one_client_can_open_at_most_half_of_the_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_operator.gateway.protocol.subscriptions.MAX_STREAMS", 4)
    server = Server()
    streams = [await server.stream(replace(listen(), address="a")) for _ in range(2)]

    assert (await server.respond(replace(listen(), address="a"))).status == 503
    await server.stream(replace(listen(), address="b"))
    for stream in streams:
        await stream.frames.aclose()
    await server.stream(replace(listen(), address="a"))


async def test_the_total_size_of_subscribed_uris_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_operator.gateway.protocol.subscriptions.MAX_URI_BYTES", 8 * 2048)
    server = Server()
    large = {"notifications": {"resourceSubscriptions": ["u" * 2000]}}
    stream = await server.stream(modern("subscriptions/listen", large))

    refused = await server.respond(modern("subscriptions/listen", large))
    assert refused.status == 503
    await stream.frames.aclose()
    await server.stream(modern("subscriptions/listen", large))


async def test_a_subscription_to_a_uri_over_2048_characters_is_refused() -> None:
    wanted = {"notifications": {"resourceSubscriptions": ["u" * 2049]}}

    _, error = await Server().error(modern("subscriptions/listen", wanted))

    assert "longer than 2048" in error["message"]


async def test_a_stream_does_not_keep_its_request_in_memory() -> None:
    class Kept(dict[str, object]):
        """A dict that a weak reference can refer to."""

    server = Server()
    raw = json.loads(listen().body)
    raw["params"] = Kept(raw["params"])
    gone = weakref.ref(raw["params"])
    answer = await server.endpoint._modern.post(listen(), raw)
    assert isinstance(answer, HttpStream)

    del raw
    gc.collect()

    assert gone() is None
    await answer.frames.aclose()


async def test_listen_gets_406_if_the_client_does_not_accept_event_streams() -> None:
    request = modern("subscriptions/listen", {"notifications": {}}, accept="application/json")

    status, _ = await Server().error(request)

    assert status == 406


async def test_a_client_that_accepts_only_event_streams_can_listen() -> None:
    request = modern("subscriptions/listen", {"notifications": {}}, accept="text/event-stream")

    stream = await Server().stream(request)

    await stream.frames.aclose()


async def test_a_session_is_notified_of_all_lists_and_its_subscribed_resources() -> None:
    server = Server(tool("a"), README)
    session = await server.initialize()
    stream = await server.stream(get(session))
    subscribe = {"uri": "file:///readme"}
    await server.result(legacy("resources/subscribe", subscribe, mcp_session_id=session))

    server.current.swap(table(prompt("x", name="p"), EDITED))

    told = [await read(stream.frames) for _ in range(3)]
    assert told == [
        {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
        {"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"},
        {
            "jsonrpc": "2.0",
            "method": "notifications/resources/updated",
            "params": {"uri": "file:///readme"},
        },
    ]


async def test_a_session_is_not_notified_of_a_resource_it_unsubscribed_from() -> None:
    server = Server(README)
    session = await server.initialize()
    uri = {"uri": "file:///readme"}
    await server.result(legacy("resources/subscribe", uri, mcp_session_id=session))
    await server.result(legacy("resources/unsubscribe", uri, mcp_session_id=session))
    stream = await server.stream(get(session))

    server.current.swap(table(EDITED, tool("new")))

    assert (await read(stream.frames))["method"] == "notifications/tools/list_changed"
    assert await nothing(stream.frames)


async def test_a_second_stream_of_a_session_ends_the_first() -> None:
    server = Server(tool("a"))
    session = await server.initialize()
    first = await server.stream(get(session))
    second = await server.stream(get(session))

    with pytest.raises(StopAsyncIteration):
        await anext(aiter(first.frames))
    server.current.swap(table())
    assert (await read(second.frames))["method"] == "notifications/tools/list_changed"


async def test_deleting_a_session_ends_its_stream() -> None:
    server = Server()
    session = await server.initialize()
    stream = await server.stream(get(session))

    await server.respond(HttpRequest("DELETE", get(session).headers))

    with pytest.raises(StopAsyncIteration):
        await anext(aiter(stream.frames))


async def test_a_closed_stream_is_released() -> None:
    server = Server()
    session = await server.initialize()
    stream = await server.stream(get(session))
    await stream.frames.aclose()
    del stream
    gc.collect()

    assert server.endpoint.open_streams == 0
    assert not server.endpoint._legacy._streams


async def test_a_get_without_a_session_gets_400_and_without_event_streams_406() -> None:
    server = Server()
    session = await server.initialize()

    assert (await server.error(HttpRequest("GET", JSON_HEADERS)))[0] == 400
    request = HttpRequest("GET", {**get(session).headers, "accept": "application/json"})
    assert (await server.error(request))[0] == 406
