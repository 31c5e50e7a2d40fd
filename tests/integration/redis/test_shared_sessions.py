"""Sessions of clients of older revisions, with three replicas that share a Redis."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.protocol import legacy as legacy_module
from mcp_operator.gateway.protocol.message import HttpStream
from mcp_operator.gateway.redis.link import RedisLink
from mcp_operator.gateway.root_key import RootKey
from support.entries import resource, tool
from support.mcp_http import Server, legacy, message_of, of_session, table
from support.redis_links import Links, Shared, until_away, until_up
from support.redis_server import RedisServer
from support.waiting import eventually, hang_guard

README = "file:///readme"


async def replicas(links: Links, redis: RedisServer) -> tuple[list[Server], list[RedisLink]]:
    """Return three replicas of one server, and their links to Redis."""
    found = [links.start(redis.port) for _ in range(3)]
    for link in found:
        await until_up(link)
    root = RootKey(b"k" * 32)
    entries = tool("add"), resource("readme", uri=README, text="Old.")
    return [Server(*entries, root=root, redis_link=Shared(link)) for link in found], found


async def ping(server: Server, session: str) -> int:
    return (await server.respond(legacy("ping", mcp_session_id=session))).status


async def subscribe(server: Server, session: str, method: str = "resources/subscribe") -> None:
    assert await server.result(legacy(method, {"uri": README}, mcp_session_id=session)) == {}


def edit(server: Server, text: str) -> None:
    server.current.swap(table(tool("add"), resource("readme", uri=README, text=text)))


async def notification(stream: HttpStream) -> JsonObject:
    async with hang_guard():
        return message_of(await anext(stream.frames))


async def is_subscribed(stream: HttpStream) -> bool:
    """Return whether a stream is subscribed to the resource."""
    return README in stream.frames._wants.uris  # type: ignore[attr-defined]


async def test_a_session_that_is_deleted_at_one_replica_is_unknown_to_all(
    redis: RedisServer, links: Links
) -> None:
    servers, _ = await replicas(links, redis)
    session, other = await servers[0].initialize(), await servers[0].initialize()
    assert [await ping(server, session) for server in servers] == [200, 200, 200]

    assert (await servers[1].respond(of_session("DELETE", session))).status == 204

    assert [await ping(server, session) for server in servers] == [404, 404, 404]
    assert [await ping(server, other) for server in servers] == [200, 200, 200]


async def test_while_redis_is_unavailable_sessions_still_work(
    redis: RedisServer, links: Links
) -> None:
    servers, found = await replicas(links, redis)
    session = await servers[0].initialize()
    redis.kill()
    for link in found:
        await until_away(link, "")

    assert [await ping(server, session) for server in servers] == [200, 200, 200]
    assert (await servers[0].respond(of_session("DELETE", session))).status == 204
    assert [await ping(server, session) for server in servers] == [404, 200, 200]


async def test_a_stream_notifies_of_a_subscription_at_another_replica(
    redis: RedisServer, links: Links
) -> None:
    servers, _ = await replicas(links, redis)
    session = await servers[0].initialize()
    await subscribe(servers[0], session)

    stream = await servers[1].stream(of_session("GET", session))
    edit(servers[1], "New.")

    message = await notification(stream)
    assert message["method"] == "notifications/resources/updated"
    assert message["params"] == {"uri": README}
    await stream.frames.aclose()


async def test_an_open_stream_follows_later_subscriptions_and_unsubscriptions(
    redis: RedisServer, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_module, "FOLLOW_SECONDS", 0.01)
    servers, _ = await replicas(links, redis)
    session = await servers[0].initialize()
    stream = await servers[1].stream(of_session("GET", session))

    await subscribe(servers[2], session)
    await eventually(lambda: is_subscribed(stream), expected=True)
    await subscribe(servers[0], session, "resources/unsubscribe")
    await eventually(lambda: is_subscribed(stream), expected=False)
    await stream.frames.aclose()
    await asyncio.gather(*(server.endpoint.close() for server in servers))


async def test_a_subscription_while_redis_is_unavailable_is_shared_once_it_is_available(
    redis: RedisServer, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_module, "FOLLOW_SECONDS", 0.01)
    servers, found = await replicas(links, redis)
    session = await servers[0].initialize()
    stream = await servers[0].stream(of_session("GET", session))
    redis.kill()
    for link in found:
        await until_away(link, "")
    await subscribe(servers[0], session)

    await redis.start()
    for link in found:
        await until_up(link)

    async def is_subscribed_at_another() -> bool:
        elsewhere = await servers[1].stream(of_session("GET", session))
        knows = await is_subscribed(elsewhere)
        await elsewhere.frames.aclose()
        return knows

    await eventually(is_subscribed_at_another, expected=True)
    assert await is_subscribed(stream)
    await stream.frames.aclose()
    await asyncio.gather(*(server.endpoint.close() for server in servers))


async def test_every_replica_notifies_its_own_clients_of_changed_lists(
    redis: RedisServer, links: Links
) -> None:
    servers, _ = await replicas(links, redis)
    session = [await servers[0].initialize() for _ in servers]
    streams = [
        await server.stream(of_session("GET", one))
        for server, one in zip(servers, session, strict=True)
    ]

    for server in servers:
        server.current.swap(table(tool("sub")))

    for stream in streams:
        assert (await notification(stream))["method"] == "notifications/tools/list_changed"
        await stream.frames.aclose()
