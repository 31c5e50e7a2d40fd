"""How soon a gateway stops using a Redis that stops responding, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from mcp_operator.api.catalog import Redis
from mcp_operator.gateway.redis.dial import Dialer, Streams, Tls
from mcp_operator.gateway.redis.errors import RedisAwayError
from mcp_operator.gateway.redis.link import BEAT_SECONDS, RedisLink
from mcp_operator.gateway.redis.session import CALL_SECONDS
from support.redis_links import Values, until_up

pytestmark = pytest.mark.looptime

CLOSE_TO = 0.001


class Writer:  # the part of a `StreamWriter` that a connection uses
    """Accepts commands, and sends them nowhere."""

    def writelines(self, _: list[bytes]) -> None:
        pass

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        pass


class Silent(Dialer):
    """Connects to a Redis that replies to the first command, and to no other."""

    async def open(self, host: str, port: int, tls: Tls | None) -> Streams:
        reader = asyncio.StreamReader()
        reader.feed_data(b":1\r\n")
        return reader, cast("asyncio.StreamWriter", Writer())


@asynccontextmanager
async def connected() -> AsyncIterator[RedisLink]:
    dialer = Silent({})
    link = RedisLink(Redis(host="redis", port=6379, keys=""), dialer, Values())
    link.start()
    await until_up(link)
    yield link
    await link.stop()
    await dialer.close()


async def test_one_call_without_a_reply_marks_the_redis_as_down() -> None:
    async with connected() as link:
        now = asyncio.get_running_loop().time
        began = now()
        calls: list[Any] = [link.call("PING") for _ in range(100)]
        found = await asyncio.gather(*calls, return_exceptions=True)

        assert {type(each) for each in found} == {RedisAwayError}
        assert now() - began == pytest.approx(CALL_SECONDS, abs=CLOSE_TO)
        assert not link.is_up
        with pytest.raises(RedisAwayError, match="did not answer in time"):
            await link.call("PING")
        assert now() - began == pytest.approx(CALL_SECONDS, abs=CLOSE_TO)


async def test_a_redis_that_stops_responding_is_noticed_without_any_call() -> None:
    async with connected() as link:
        await asyncio.sleep(BEAT_SECONDS / 2)
        assert link.is_up
        await asyncio.sleep(BEAT_SECONDS / 2 + CALL_SECONDS + CLOSE_TO)
        assert not link.is_up
