"""Results that the gateways of a server cache in a shared Redis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.api.caching import CachePolicy, ServerCache
from mcp_operator.gateway import exact
from mcp_operator.gateway.caching import shared
from mcp_operator.gateway.caching.executor import CachingExecutor
from mcp_operator.gateway.contract import Call, ToolResult
from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.table import Current
from support.entries import backend, resource, tool
from support.fake_executor import FakeExecutor, text_result
from support.mcp_http import table
from support.redis_links import Links, until_away, until_up
from support.redis_server import RedisServer

HOUR = CachePolicy(ttl_seconds=3600)
FIND = tool("find", cache=HOUR)
GUIDE = resource("guide", uri="a:b", backend=backend("/"), cache=HOUR)


@dataclass
class Gateway:
    """One gateway: a caching executor with a backend of its own and a link to Redis."""

    link: Link
    backend: FakeExecutor = field(default_factory=FakeExecutor)
    in_redis: bool = True

    def __post_init__(self) -> None:
        current = Current()
        current.swap(table(FIND, GUIDE, cache=ServerCache(in_redis=self.in_redis)))
        self.executor = CachingExecutor(self.backend, current, CollectorRegistry(), self)

    async def find(self, client: str = "ann", **arguments: Any) -> ToolResult:
        found = await self.executor.call_tool(FIND, arguments, Call(client=client))
        assert isinstance(found, ToolResult)
        return found


async def gateways(links: Links, redis: RedisServer, **fields: Any) -> tuple[Gateway, Gateway]:
    found = [links.start(redis.port) for _ in range(2)]
    for link in found:
        await until_up(link)
    return Gateway(found[0], **fields), Gateway(found[1], **fields)


async def test_a_result_that_one_gateway_cached_is_served_by_another(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis)
    number = exact.loads("[1.10, 1e400]", unfolded=True)
    first.backend.results["find"] = ToolResult(
        ({"type": "text", "text": "é"},), structured=number, meta={"a": 1}
    )

    answer = await first.find(a=1)
    again = await second.find(a=1)

    assert exact.encode(again.structured) == exact.encode(answer.structured) == b"[1.10,1e400]"
    assert (again.content, again.meta) == (answer.content, answer.meta)
    assert second.backend.calls == []
    await second.find("bob", a=1)
    await second.find(a=2)
    assert len(second.backend.calls) == 2


async def test_cached_content_keeps_its_remaining_lifetime(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis)
    content = await first.executor.read_resource(GUIDE, "a:b", {}, Call())
    [key] = await redis.ask("KEYS", "*answer:*")
    await redis.ask("PEXPIRE", key, 100_000)

    asked = Call()
    second.backend.results["guide"] = ({"uri": "a:b", "text": "newer"},)
    assert await second.executor.read_resource(GUIDE, "a:b", {}, asked) == content
    assert asked.fresh_seconds == pytest.approx(100, abs=60)


async def test_keys_in_redis_contain_no_clients_and_no_arguments(
    redis: RedisServer, links: Links
) -> None:
    first, _ = await gateways(links, redis)
    await first.find("ann", word="opensesame")

    [key] = await redis.ask("KEYS", "*answer:*")

    assert b"ann" not in key
    assert b"opensesame" not in key
    assert 0 < await redis.ask("TTL", key) <= 3600


async def test_errors_and_large_results_are_not_cached(redis: RedisServer, links: Links) -> None:
    first, _ = await gateways(links, redis)
    first.backend.results["find"] = text_result("no", is_error=True)
    await first.find()
    first.backend.results["find"] = text_result("x" * shared.MAX_VALUE)
    await first.find()

    assert await redis.ask("KEYS", "*answer:*") == []


async def test_values_in_an_unknown_format_are_ignored(redis: RedisServer, links: Links) -> None:
    first, second = await gateways(links, redis)
    await first.find()
    [key] = await redis.ask("KEYS", "*answer:*")
    for value in ("{", "[]", '["other", 1, "", "", 2]', '["tool", 7, "", ""]', "7"):
        await redis.ask("SET", key, value, "EX", 100)
        fresh = Gateway(second.link)
        await fresh.find()
        assert len(fresh.backend.calls) == 1


async def test_while_redis_is_unavailable_each_gateway_caches_for_itself(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis)
    await first.find()
    redis.kill()
    await until_away(second.link, "")  # type: ignore[arg-type]

    await second.find()
    await second.find()

    assert len(second.backend.calls) == 1


async def test_nothing_is_cached_in_redis_unless_configured(
    redis: RedisServer, links: Links
) -> None:
    first, second = await gateways(links, redis, in_redis=False)
    await first.find()
    await second.find()

    assert await redis.ask("KEYS", "*answer:*") == []
    assert len(second.backend.calls) == 1
