"""Responses of clients that reach another replica than the one that sent the request."""

from __future__ import annotations

import pytest

from mcp_operator.gateway.contract import InputRequired
from mcp_operator.gateway.protocol import asking as asking_module
from mcp_operator.gateway.protocol import relay as relay_module
from mcp_operator.gateway.redis.link import RedisLink
from mcp_operator.gateway.root_key import RootKey
from support.client_requests import ADA, NAME, POEM, VERSE, RespondingClient, greeter, said
from support.mcp_http import Server
from support.redis_links import Links, Shared, until_away, until_up
from support.redis_server import RedisServer
from support.waiting import eventually, hang_guard

ROOT = RootKey(b"k" * 32)
TWO = InputRequired({"name": NAME, "poem": POEM})


async def replicas(
    links: Links, redis: RedisServer, *rounds: InputRequired
) -> tuple[list[Server], list[RedisLink]]:
    """Return two replicas of one server, and their links to Redis."""
    found = [links.start(redis.port) for _ in range(2)]
    for link in found:
        await until_up(link)
    return [greeter(*rounds, root=ROOT, redis_link=Shared(link)) for link in found], found


async def stored(redis: RedisServer) -> dict[bytes, bytes]:
    """Return the keys and values in Redis about requests to clients."""
    keys = await redis.ask("KEYS", "*ask:*")
    return {key: await redis.ask("GET", key) for key in keys}


async def test_a_client_can_respond_to_any_replica(redis: RedisServer, links: Links) -> None:
    (one, two), _ = await replicas(links, redis)
    client = await RespondingClient.connect(one)
    client.call()
    request = await client.next()

    await client.answer(request["id"], ADA, at=two)

    async with hang_guard():
        assert said(await client.result()) == {"name": ADA}
    assert one.endpoint.asking == two.endpoint.asking == 0


async def test_the_responses_for_one_call_can_reach_several_replicas(
    redis: RedisServer, links: Links
) -> None:
    (one, two), _ = await replicas(links, redis, TWO)
    client = await RespondingClient.connect(one)
    client.call()
    ids = {
        message["method"]: message["id"] for message in (await client.next(), await client.next())
    }

    await client.answer(ids["sampling/createMessage"], VERSE, at=two)
    await client.answer(ids["elicitation/create"], ADA, at=one)

    async with hang_guard():
        assert said(await client.result()) == {"name": ADA, "poem": VERSE}


async def test_an_error_of_the_client_can_reach_any_replica(
    redis: RedisServer, links: Links
) -> None:
    (one, two), _ = await replicas(links, redis)
    client = await RespondingClient.connect(one)
    client.call()
    refusal = {"code": -1, "message": "No."}

    request = await client.next()
    await client.post({"jsonrpc": "2.0", "id": request["id"], "error": refusal}, at=two)

    async with hang_guard():
        result = await client.result()
    assert result["content"][0]["text"].endswith("the client refused to answer: No.")


async def test_another_session_cannot_respond_through_another_replica(
    redis: RedisServer, links: Links
) -> None:
    (one, two), _ = await replicas(links, redis)
    client, eve = await RespondingClient.connect(one), await RespondingClient.connect(two)
    client.call()
    request = await client.next()
    evil = {"action": "accept", "content": {"name": "Eve"}}

    await client.answer(request["id"], evil, session=eve.session, at=two)
    await client.answer("guessed", evil, at=two)

    assert list((await stored(redis)).values()) == [b""]  # the placeholder, and no response
    await client.answer(request["id"], ADA, at=two)
    async with hang_guard():
        assert said(await client.result()) == {"name": ADA}


async def test_redis_holds_no_session_ids_and_responses_in_plain_text(
    redis: RedisServer, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, two), _ = await replicas(links, redis, TWO)
    client = await RespondingClient.connect(one)
    monkeypatch.setattr(
        asking_module, "LOOK_SECONDS", 3600.0
    )  # so that it does not consume the response
    client.call()
    ids = [(await client.next())["id"], (await client.next())["id"]]

    await client.answer(ids[0], ADA, at=two)

    held = await stored(redis)
    assert len(held) == 2
    text = b"".join([*held.keys(), *held.values()])
    for secret in (client.session, *ids, "Ada", "accept"):
        assert secret.encode() not in text
    await client.leave()


async def test_a_forged_response_in_redis_is_discarded(redis: RedisServer, links: Links) -> None:
    (one, two), _ = await replicas(links, redis)
    client = await RespondingClient.connect(one)
    client.call()
    request = await client.next()
    [key] = await stored(redis)

    await redis.ask("SET", key, b'[{"action":"accept","content":{"name":"Eve"}},null]')

    async def taken() -> bool:
        return not await redis.ask("EXISTS", key)

    await eventually(taken, expected=True)

    assert one.endpoint.asking == 1
    await client.answer(request["id"], ADA, at=one)
    assert said(await client.result()) == {"name": ADA}
    assert two.endpoint.asking == 0


async def test_a_response_that_is_too_large_to_relay_ends_the_call_with_an_error(
    redis: RedisServer, links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "MAX_RELAYED", 1000)
    (one, two), _ = await replicas(links, redis)
    client = await RespondingClient.connect(one)
    client.call()
    giant = {"action": "accept", "content": {"name": "x" * 1000}}

    await client.answer((await client.next())["id"], giant, at=two)

    async with hang_guard():
        result = await client.result()
    assert "its response has more than 1000 bytes" in result["content"][0]["text"]


async def test_without_redis_a_response_can_reach_the_replica_that_sent_the_request(
    redis: RedisServer, links: Links
) -> None:
    (one, _), (link, _) = await replicas(links, redis)
    client = await RespondingClient.connect(one)
    redis.kill()
    await until_away(link, "")
    client.call()
    request = await client.next()

    await client.answer(request["id"], ADA, at=one)

    assert said(await client.result()) == {"name": ADA}
