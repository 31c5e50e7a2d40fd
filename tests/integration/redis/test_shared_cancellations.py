"""Cancellations that reach another replica than the one that runs the call."""

from __future__ import annotations

import asyncio
import json

from mcp_operator.gateway.protocol import running
from mcp_operator.gateway.protocol.message import HttpResponse
from mcp_operator.gateway.redis.link import RedisLink
from mcp_operator.gateway.root_key import RootKey
from support.entries import tool
from support.mcp_http import Server, legacy, notification
from support.redis_links import Links, Shared, until_away, until_up
from support.redis_server import RedisServer
from support.waiting import hang_guard

ROOT = RootKey(b"k" * 32)


class Replica:
    """One of the gateways of a server, whose tool responds only once its gate is open."""

    def __init__(self, link: RedisLink) -> None:
        self.link = link
        self.server = Server(tool("slow"), root=ROOT, redis_link=Shared(link))
        self.server.executor.gate.clear()

    async def call(self, session: str, request_id: int | str) -> asyncio.Future[HttpResponse]:
        """Call the tool, and return when the call has started."""
        request = legacy("tools/call", {"name": "slow"}, request_id, mcp_session_id=session)
        answer = asyncio.ensure_future(self.server.respond(request))
        await self.server.executor.started.wait()
        self.server.executor.started.clear()
        return answer

    async def cancel(self, session: str, request_id: object) -> None:
        params = {"requestId": request_id}
        message = notification("notifications/cancelled", params, mcp_session_id=session)
        assert (await self.server.respond(message)).status == 202


async def replicas(links: Links, redis: RedisServer) -> tuple[Replica, Replica]:
    one, two = links.start(redis.port), links.start(redis.port)
    await until_up(one)
    await until_up(two)
    return Replica(one), Replica(two)


def problem(answer: HttpResponse) -> str:
    message: str = json.loads(answer.body)["error"]["message"]
    return message


async def test_a_call_is_cancelled_through_another_replica(
    redis: RedisServer, links: Links
) -> None:
    one, two = await replicas(links, redis)
    session = await one.server.initialize()
    call = await one.call(session, 7)

    await two.cancel(session, 7)

    async with hang_guard():
        assert problem(await call) == "The client cancelled this request"
    assert one.server.executor.cancelled == ["slow"]


async def test_calls_with_another_id_or_session_are_not_cancelled(
    redis: RedisServer, links: Links
) -> None:
    one, two = await replicas(links, redis)
    session, other = await one.server.initialize(), await one.server.initialize()
    text = await one.call(session, "7")
    foreign = await one.call(other, 7)
    call = await one.call(session, 7)

    await two.cancel(session, 7)
    async with hang_guard():
        await call
    one.server.executor.gate.set()

    async with hang_guard():
        assert "result" in json.loads((await text).body)
        assert "result" in json.loads((await foreign).body)


async def test_a_cancellation_without_a_valid_id_is_ignored(
    redis: RedisServer, links: Links
) -> None:
    _, two = await replicas(links, redis)
    session = await two.server.initialize()

    wrong: tuple[object, ...] = (None, True, 1.5, {}, "x" * 100_000)
    for request_id in wrong:
        await two.cancel(session, request_id)

    assert await redis.ask("KEYS", "*cancelled*") == []


async def test_the_log_of_cancellations_is_bounded_and_expires(
    redis: RedisServer, links: Links
) -> None:
    _, two = await replicas(links, redis)
    session = await two.server.initialize()
    for number in range(running.MAX_LOGGED + 1):
        await two.cancel(session, number)

    (key,) = await redis.ask("KEYS", "*cancelled*")
    assert await redis.ask("ZCARD", key) == running.MAX_LOGGED
    assert 0 < await redis.ask("TTL", key) <= running.LOG_SECONDS


async def test_while_redis_is_unavailable_a_call_is_cancelled_at_its_own_replica(
    redis: RedisServer, links: Links
) -> None:
    one, two = await replicas(links, redis)
    session = await one.server.initialize()
    call = await one.call(session, 7)
    redis.kill()
    await until_away(one.link, "Connection refused")
    await until_away(two.link, "Connection refused")

    await two.cancel(session, 7)
    await one.cancel(session, 7)

    async with hang_guard():
        assert problem(await call) == "The client cancelled this request"
