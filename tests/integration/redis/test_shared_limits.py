"""Limits that several gateways count together, in a real Redis."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from mcp_operator.api.catalog import Redis
from mcp_operator.api.limits import RateLimit, RateLimits
from mcp_operator.gateway.limits.buckets import Bucket, LocalBuckets
from mcp_operator.gateway.limits.shared import SharedBuckets
from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.errors import RedisAwayError
from mcp_operator.gateway.redis.link import RedisLink
from support.entries import tool
from support.mcp_http import Server, modern
from support.redis_links import Links, until_away, until_up
from support.redis_server import RedisServer
from support.waiting import eventually

HOUR = 3600.0


@dataclass
class Gateway:
    """The buckets of one gateway."""

    link: RedisLink
    buckets: SharedBuckets

    async def accepted(self, bucket: Bucket, tries: int) -> int:
        """Return how many of some concurrent calls are accepted."""
        found = await asyncio.gather(
            *(self.buckets.take(self.link, [bucket]) for _ in range(tries))
        )
        return found.count(None)

    def accepted_alone(self, bucket: Bucket, tries: int) -> int:
        return [self.buckets.take_share(self.link, [bucket]) for _ in range(tries)].count(None)


def bucket(burst: int, interval: float = HOUR, key: str = "s/") -> Bucket:
    return Bucket(key, interval, burst * interval, "shared")


async def gateways(links: Links, redis: RedisServer, count: int = 3) -> list[Gateway]:
    """Return gateways that know their number of peers."""
    found = [Gateway(links.start(redis.port), SharedBuckets(LocalBuckets())) for _ in range(count)]

    async def peers() -> set[int]:
        return {each.link.peers for each in found}

    await eventually(peers, {count})
    return found


async def lose(redis: RedisServer, found: list[Gateway]) -> None:
    """Kill Redis, and wait until each gateway has noticed."""
    redis.kill()
    for each in found:
        await until_away(each.link, "")


@pytest.mark.parametrize("burst", [1, 7, 100])
async def test_all_gateways_together_accept_as_many_calls_as_the_limit_allows(
    redis: RedisServer, links: Links, burst: int
) -> None:
    found = await gateways(links, redis)
    accepted = await asyncio.gather(*(each.accepted(bucket(burst), 200) for each in found))
    assert sum(accepted) == burst


async def test_tokens_refill_by_the_clock_of_redis(redis: RedisServer, links: Links) -> None:
    found = await gateways(links, redis)
    one = bucket(20, interval=0.01)

    async def now() -> float:
        seconds, micros = await redis.ask("TIME")
        return int(seconds) + int(micros) / 1e6

    async def call_repeatedly(gateway: Gateway) -> int:
        accepted = 0
        while await now() < began + 1.5:
            verdict = await gateway.buckets.take(gateway.link, [one])
            accepted += verdict is None
        return accepted

    began = await now()
    accepted = sum(await asyncio.gather(*(call_repeatedly(each) for each in found)))
    allowed = 20 + (await now() - began) / 0.01
    assert accepted <= allowed + 1


async def test_a_refusal_says_when_the_next_call_is_accepted(
    redis: RedisServer, links: Links
) -> None:
    (gateway,) = await gateways(links, redis, 1)
    one = bucket(1, interval=100.0)
    assert await gateway.buckets.take(gateway.link, [one]) is None
    other = Gateway(gateway.link, SharedBuckets(LocalBuckets()))
    verdict = await other.buckets.take(other.link, [one])
    assert verdict is not None
    assert 0 < verdict.wait <= 100


async def test_a_call_that_one_bucket_refuses_takes_no_token_from_another(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis, 2)
    wide, narrow = bucket(5, key="wide"), bucket(1, key="narrow")
    assert await first.buckets.take(first.link, [wide, narrow]) is None
    for _ in range(9):
        verdict = await second.buckets.take(second.link, [wide, narrow])
        assert verdict is not None
        assert verdict.bucket is narrow
    assert await second.accepted(wide, 10) == 4


async def test_a_gateway_repeats_a_refusal_without_a_request_to_redis(
    redis: RedisServer, links: Links
) -> None:
    (gateway,) = await gateways(links, redis, 1)
    assert await gateway.accepted(bucket(1), 10) == 1

    async def scripts() -> int:
        found = await redis.ask("INFO", "commandstats")
        return sum(int(found[f"cmdstat_{name}"]["calls"]) for name in ("evalsha",))

    before = await scripts()
    assert await gateway.accepted(bucket(1), 1000) == 0
    assert await scripts() == before


async def test_keys_of_a_server_share_a_slot_and_expire(redis: RedisServer, links: Links) -> None:
    (gateway,) = await gateways(links, redis, 1)
    await gateway.buckets.take(gateway.link, [bucket(5, key="c/1/"), bucket(5, key="tools/{a}")])
    names = sorted(await redis.ask("KEYS", "*"))
    assert names == [
        b"test:{mcp:demo/shop}:gateways",
        b"test:{mcp:demo/shop}:limit:c/1/",
        b"test:{mcp:demo/shop}:limit:tools/{a}",
    ]
    assert len({await redis.ask("CLUSTER", "KEYSLOT", name) for name in names}) == 1
    assert all([0 < await redis.ask("TTL", name) <= 5 * HOUR for name in names])


async def test_a_reduced_limit_refuses_calls_for_at_most_one_interval(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis, 2)
    await first.accepted(bucket(50), 50)
    narrow = bucket(1, interval=100.0)
    verdict = await second.buckets.take(second.link, [narrow])
    assert verdict is not None
    assert verdict.wait <= 100


async def test_after_a_flush_of_redis_counting_starts_again(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis, 2)
    assert await first.accepted(bucket(5), 20) == 5
    await redis.ask("FLUSHALL")
    await redis.ask("SCRIPT", "FLUSH")
    assert await second.accepted(bucket(5), 20) == 5
    assert second.link.is_up


async def test_while_redis_is_unavailable_each_gateway_accepts_its_share(
    redis: RedisServer, links: Links
) -> None:
    found = await gateways(links, redis)
    await lose(redis, found)
    for each in found:
        with pytest.raises(RedisAwayError):
            await each.buckets.take(each.link, [bucket(30)])
    assert [each.accepted_alone(bucket(30), 100) for each in found] == [10, 10, 10]


async def test_a_used_up_limit_stays_used_up_when_redis_becomes_unavailable(
    redis: RedisServer, links: Links
) -> None:
    found = await gateways(links, redis)
    await asyncio.gather(*(each.accepted(bucket(30), 100) for each in found))
    await lose(redis, found)
    assert [each.accepted_alone(bucket(30), 100) for each in found] == [0, 0, 0]


async def test_gateways_share_limits_again_once_redis_is_available(
    redis: RedisServer, links: Links
) -> None:
    found = await gateways(links, redis)
    await lose(redis, found)
    await redis.start()
    for each in found:
        await until_up(each.link)
    accepted = await asyncio.gather(*(each.accepted(bucket(20), 50) for each in found))
    assert sum(accepted) == 20


@dataclass
class FixedLink:
    """The gateway's link to Redis, which does not change."""

    link: Link | None


@pytest.mark.parametrize(("mode", "status"), [("Open", 200), ("Closed", 503)])
async def test_without_redis_calls_are_accepted_or_refused_according_to_the_failure_mode(
    redis: RedisServer, links: Links, mode: str, status: int
) -> None:
    link = links.start(redis.port, failure_mode=mode)
    await until_up(link)
    shop = Server(
        tool("limited", rate_limit=RateLimit(requests=9, seconds=3600, burst=9)),
        redis_link=FixedLink(link),
        redis=Redis.model_validate(link.settings.model_dump()),
        rate_limits=RateLimits(shared=RateLimit(requests=2, seconds=3600, burst=2)),
    )
    call = modern("tools/call", {"name": "limited"})
    assert (await shop.respond(call)).status == 200
    redis.kill()
    await until_away(link, "")
    answer = await shop.respond(call)
    assert answer.status == status
    refused = await shop.respond(call)
    assert refused.status == (429 if mode == "Open" else 503)
    assert int(refused.headers["retry-after"]) > 0
    assert shop.observer.limits[-1] == ("shared" if mode == "Open" else "redis")
