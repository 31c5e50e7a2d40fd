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
    """What counts in one gateway."""

    link: RedisLink
    buckets: SharedBuckets

    async def taken(self, bucket: Bucket, tries: int) -> int:
        """Return how many calls of some tries, all at once, are taken."""
        found = await asyncio.gather(
            *(self.buckets.take(self.link, [bucket]) for _ in range(tries))
        )
        return found.count(None)

    def taken_alone(self, bucket: Bucket, tries: int) -> int:
        return [self.buckets.take_share(self.link, [bucket]) for _ in range(tries)].count(None)


def bucket(burst: int, interval: float = HOUR, key: str = "s/") -> Bucket:
    return Bucket(key, interval, burst * interval, "shared")


async def gateways(links: Links, redis: RedisServer, count: int = 3) -> list[Gateway]:
    """Return gateways that have seen each other."""
    found = [Gateway(links.start(redis.port), SharedBuckets(LocalBuckets())) for _ in range(count)]

    async def peers() -> set[int]:
        return {each.link.peers for each in found}

    await eventually(peers, {count})
    return found


async def lose(redis: RedisServer, found: list[Gateway]) -> None:
    """Kill Redis, and wait until each gateway knows."""
    redis.kill()
    for each in found:
        await until_away(each.link, "")


@pytest.mark.parametrize("burst", [1, 7, 100])
async def test_gateways_take_as_many_together_as_one_may(
    redis: RedisServer, links: Links, burst: int
) -> None:
    found = await gateways(links, redis)
    taken = await asyncio.gather(*(each.taken(bucket(burst), 200) for each in found))
    assert sum(taken) == burst


async def test_calls_come_back_by_the_clock_of_redis(redis: RedisServer, links: Links) -> None:
    found = await gateways(links, redis)
    one = bucket(20, interval=0.01)

    async def now() -> float:
        seconds, micros = await redis.ask("TIME")
        return int(seconds) + int(micros) / 1e6

    async def insist(gateway: Gateway) -> int:
        taken = 0
        while await now() < began + 1.5:
            verdict = await gateway.buckets.take(gateway.link, [one])
            taken += verdict is None
        return taken

    began = await now()
    taken = sum(await asyncio.gather(*(insist(each) for each in found)))
    allowed = 20 + (await now() - began) / 0.01
    assert taken <= allowed + 1


async def test_a_refusal_says_when_redis_takes_the_next_call(
    redis: RedisServer, links: Links
) -> None:
    (gateway,) = await gateways(links, redis, 1)
    one = bucket(1, interval=100.0)
    assert await gateway.buckets.take(gateway.link, [one]) is None
    other = Gateway(gateway.link, SharedBuckets(LocalBuckets()))
    verdict = await other.buckets.take(other.link, [one])
    assert verdict is not None
    assert 0 < verdict.wait <= 100


async def test_a_call_that_one_bucket_refuses_takes_from_no_other(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis, 2)
    wide, narrow = bucket(5, key="wide"), bucket(1, key="narrow")
    assert await first.buckets.take(first.link, [wide, narrow]) is None
    for _ in range(9):
        verdict = await second.buckets.take(second.link, [wide, narrow])
        assert verdict is not None
        assert verdict.bucket is narrow
    assert await second.taken(wide, 10) == 4


async def test_what_redis_has_refused_is_refused_without_asking_again(
    redis: RedisServer, links: Links
) -> None:
    (gateway,) = await gateways(links, redis, 1)
    assert await gateway.taken(bucket(1), 10) == 1

    async def scripts() -> int:
        found = await redis.ask("INFO", "commandstats")
        return sum(int(found[f"cmdstat_{name}"]["calls"]) for name in ("evalsha",))

    before = await scripts()
    assert await gateway.taken(bucket(1), 1000) == 0
    assert await scripts() == before


async def test_keys_of_a_server_share_a_slot_and_do_not_stay(
    redis: RedisServer, links: Links
) -> None:
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


async def test_a_limit_that_is_narrowed_refuses_for_no_longer_than_it_takes_to_fill(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis, 2)
    await first.taken(bucket(50), 50)
    narrow = bucket(1, interval=100.0)
    verdict = await second.buckets.take(second.link, [narrow])
    assert verdict is not None
    assert verdict.wait <= 100


async def test_a_redis_that_was_wiped_counts_again(redis: RedisServer, links: Links) -> None:
    first, second = await gateways(links, redis, 2)
    assert await first.taken(bucket(5), 20) == 5
    await redis.ask("FLUSHALL")
    await redis.ask("SCRIPT", "FLUSH")
    assert await second.taken(bucket(5), 20) == 5
    assert second.link.is_up


async def test_while_redis_is_away_each_gateway_takes_its_share(
    redis: RedisServer, links: Links
) -> None:
    found = await gateways(links, redis)
    await lose(redis, found)
    for each in found:
        with pytest.raises(RedisAwayError):
            await each.buckets.take(each.link, [bucket(30)])
    assert [each.taken_alone(bucket(30), 100) for each in found] == [10, 10, 10]


async def test_what_was_used_up_stays_used_up_when_redis_goes(
    redis: RedisServer, links: Links
) -> None:
    found = await gateways(links, redis)
    await asyncio.gather(*(each.taken(bucket(30), 100) for each in found))
    await lose(redis, found)
    assert [each.taken_alone(bucket(30), 100) for each in found] == [0, 0, 0]


async def test_gateways_count_together_again_when_redis_is_back(
    redis: RedisServer, links: Links
) -> None:
    found = await gateways(links, redis)
    await lose(redis, found)
    await redis.start()
    for each in found:
        await until_up(each.link)
    taken = await asyncio.gather(*(each.taken(bucket(20), 50) for each in found))
    assert sum(taken) == 20


@dataclass
class Has:
    """A gateway's Redis."""

    link: Link | None


@pytest.mark.parametrize(("mode", "status"), [("Open", 200), ("Closed", 503)])
async def test_calls_without_redis_are_taken_or_refused_as_the_server_says(
    redis: RedisServer, links: Links, mode: str, status: int
) -> None:
    link = links.start(redis.port, failure_mode=mode)
    await until_up(link)
    shop = Server(
        tool("limited", rate_limit=RateLimit(requests=9, seconds=3600, burst=9)),
        redis_link=Has(link),
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
